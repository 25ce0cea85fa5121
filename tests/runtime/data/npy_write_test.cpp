#include <gmock/gmock.h>

#include <limits>

#include "runtime/data/npy.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::data {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<double> kSix = {1.5, -2, 3, 4, 5.25, std::numeric_limits<double>::max()};

TEST(NpyWrite, gives_back_what_was_written) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.file("x.npy");
  write_npy(path, kSix, std::vector<std::int64_t>{3, 2});
  EXPECT_EQ(test::values_of(*open_npy(path)), kSix);
  const std::vector<float> narrow = {0.1f, 2, -3};
  write_npy(path, narrow, std::vector<std::int64_t>{3});
  EXPECT_EQ(test::values_of<float>(*open_npy(path)), narrow);
  EXPECT_THAT(read_npy_vector(path), ElementsAre(double{0.1f}, 2, -3));
}

TEST(NpyWrite, writes_the_bytes_that_numpy_writes) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.file("x.npy");
  write_npy(path, std::vector<double>{1, 2}, std::vector<std::int64_t>{2});
  const std::string bytes = test::read_bytes(path);
  const std::string dictionary = "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), }";
  const std::string preamble("\x93NUMPY\x01\x00\x76\x00", 10);  // 118 = 128 - 10 bytes of header
  EXPECT_EQ(bytes, preamble + dictionary + std::string(117 - dictionary.size(), ' ') + "\n" +
                       test::raw(std::vector<double>{1, 2}));
}

TEST(NpyWrite, leaves_nothing_but_the_file) {
  const test::TemporaryDirectory folder;
  write_npy(folder.file("x.npy"), kSix, std::vector<std::int64_t>{6});
  write_npy(folder.file("x.npy"), kSix, std::vector<std::int64_t>{6});
  const auto entries = std::filesystem::directory_iterator(folder.path());
  EXPECT_EQ(std::distance(begin(entries), end(entries)), 1);
}

TEST(NpyWrite, refuses_values_that_do_not_fill_the_shape) {
  const test::TemporaryDirectory folder;
  EXPECT_THROW(write_npy(folder.file("x.npy"), kSix, std::vector<std::int64_t>{5}), NumericError);
  EXPECT_FALSE(std::filesystem::exists(folder.file("x.npy")));
}

TEST(NpyWrite, reports_a_folder_that_is_missing_or_a_file) {
  const test::TemporaryDirectory folder;
  const std::vector<std::int64_t> shape = {6};
  EXPECT_THAT(
      test::message_of<IoError>([&] { write_npy(folder.file("missing/x.npy"), kSix, shape); }),
      HasSubstr("missing/x.npy"));
  test::write_bytes(folder.file("file"), "1");
  EXPECT_THROW(write_npy(folder.file("file/x.npy"), kSix, shape), IoError);
}

TEST(NpyWrite, reports_a_folder_in_the_way_and_keeps_it) {
  const test::TemporaryDirectory folder;
  std::filesystem::create_directory(folder.file("x.npy"));
  EXPECT_THROW(write_npy(folder.file("x.npy"), kSix, std::vector<std::int64_t>{6}), IoError);
  EXPECT_TRUE(std::filesystem::is_directory(folder.file("x.npy")));
}

TEST(NpyWrite, reports_a_full_disk) {
  EXPECT_THAT(test::message_of<IoError>(
                  [&] { write_npy("/dev/full", kSix, std::vector<std::int64_t>{6}); }),
              HasSubstr("No space left"));
  EXPECT_TRUE(std::filesystem::is_character_file("/dev/full"));
}

TEST(NpyVector, refuses_a_table) {
  const test::TemporaryDirectory folder;
  write_npy(folder.file("x.npy"), kSix, std::vector<std::int64_t>{3, 2});
  EXPECT_THAT(test::message_of<DataError>([&] { read_npy_vector(folder.file("x.npy")); }),
              HasSubstr("(3, 2)"));
}

}  // namespace
}  // namespace kantor::data
