#include "runtime/data/idx.hpp"

#include <gmock/gmock.h>
#include <zlib.h>

#include <filesystem>

#include "runtime/core/process.hpp"
#include "runtime/data/marginal.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::data {
namespace {

using test::idx_file;
using testing::ElementsAre;
using testing::HasSubstr;

std::string gzip(const std::string& text) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string bytes(text.size() + 256, '\0');
  std::string input = text;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(bytes.data());
  stream.avail_out = static_cast<uInt>(bytes.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  bytes.resize(stream.total_out);
  deflateEnd(&stream);
  return bytes;
}

const std::string kPixels("\x00\x01\x02\x03\xff\x80\x10\x20", 8);

class Idx : public testing::Test {
 protected:
  std::shared_ptr<const RowSource> open(const std::string& bytes) {
    test::write_bytes(path_, bytes);
    return open_idx(path_);
  }
  std::vector<std::uint8_t> labels(const std::string& bytes) {
    test::write_bytes(path_, bytes);
    return read_idx_labels(path_);
  }
  std::string refusal(const std::string& bytes) {
    return test::message_of<DataError>([&] { open(bytes); });
  }
  test::TemporaryDirectory folder_;
  std::string path_ = folder_.file("images");
};

TEST_F(Idx, flattens_images_and_converts_bytes) {
  const auto source = open(idx_file({2, 2, 2}, kPixels));
  EXPECT_EQ(source->num_rows(), 2);
  EXPECT_EQ(source->num_dims(), 4);
  EXPECT_THAT(test::values_of(*source), ElementsAre(0, 1, 2, 3, 255, 128, 16, 32));
  EXPECT_THAT(test::values_of<float>(*source, {1}), ElementsAre(255, 128, 16, 32));
}

TEST_F(Idx, knows_gzip_by_its_content_not_its_name) {
  const auto source = open(gzip(idx_file({2, 2, 2}, kPixels)));
  EXPECT_THAT(test::values_of(*source), ElementsAre(0, 1, 2, 3, 255, 128, 16, 32));
  path_ = folder_.file("plain.gz");
  EXPECT_EQ(open(idx_file({2, 4}, kPixels))->num_dims(), 4);
}

TEST_F(Idx, reads_gzip_of_several_members) {
  const std::string bytes = idx_file({2, 2, 2}, kPixels);
  const auto source = open(gzip(bytes.substr(0, 7)) + gzip(bytes.substr(7)));
  EXPECT_THAT(test::values_of(*source), ElementsAre(0, 1, 2, 3, 255, 128, 16, 32));
}

TEST_F(Idx, reads_labels) {
  EXPECT_THAT(labels(idx_file({3}, std::string("\x00\x09\xff", 3))), ElementsAre(0, 9, 255));
  EXPECT_THAT(labels(gzip(idx_file({3}, "abc"))), ElementsAre('a', 'b', 'c'));
}

TEST_F(Idx, tells_the_shape_alone) {
  test::write_bytes(path_, gzip(idx_file({2, 2, 2}, kPixels)));
  EXPECT_THAT(read_idx_shape(path_), ElementsAre(2, 2, 2));
  test::write_bytes(path_, idx_file({3}, "abc"));
  EXPECT_THAT(read_idx_shape(path_), ElementsAre(3));
  test::write_bytes(path_, "something");
  EXPECT_THROW(read_idx_shape(path_), DataError);
}

TEST_F(Idx, reads_a_large_compressed_file) {
  std::string pixels(300 * 28 * 28, '\0');
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<char>(i * i % 251);
  const auto source = open(gzip(idx_file({300, 28, 28}, pixels)));
  ASSERT_EQ(source->num_dims(), 784);
  const auto row = test::values_of(*source, {299});
  for (std::size_t k = 0; k < 784; ++k) {
    ASSERT_EQ(row[k], static_cast<std::uint8_t>(pixels[299 * 784 + k]));
  }
}

// Bad input.

TEST_F(Idx, refuses_every_truncation) {
  const std::string bytes = idx_file({2, 2, 2}, kPixels);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(open(bytes.substr(0, size)), DataError) << size;
  }
}

TEST_F(Idx, refuses_every_truncation_of_gzip) {
  const std::string bytes = gzip(idx_file({2, 2, 2}, kPixels));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(open(bytes.substr(0, size)), DataError) << size;
  }
}

TEST_F(Idx, refuses_gzip_whose_content_does_not_match_its_checksum) {
  const std::string bytes = gzip(idx_file({2, 2, 2}, kPixels));
  for (std::size_t at = 10; at < bytes.size(); ++at) {  // bytes 3 to 9 hold a time stamp and flags
    std::string damaged = bytes;
    damaged[at] = static_cast<char>(damaged[at] ^ 0x10);
    EXPECT_THROW(open(damaged), DataError) << at;
  }
}

TEST_F(Idx, refuses_bytes_beyond_the_data) {
  EXPECT_THAT(refusal(idx_file({2, 2, 2}, kPixels + "x")), HasSubstr("beyond"));
  EXPECT_THAT(refusal(gzip(idx_file({2, 2, 2}, kPixels + "x"))), HasSubstr("beyond"));
  EXPECT_THROW(open(gzip(idx_file({2, 2, 2}, kPixels)) + "x"), DataError);
}

TEST_F(Idx, refuses_other_magic_words_and_element_types) {
  EXPECT_THAT(refusal("\x01" + idx_file({2, 2, 2}, kPixels).substr(1)), HasSubstr("1 0 8 3"));
  EXPECT_THAT(refusal(idx_file({}, kPixels)), HasSubstr("number of dimensions"));
  EXPECT_THAT(refusal(idx_file({1, 2}, kPixels, 13)), HasSubstr("type is 13"));
}

TEST_F(Idx, refuses_labels_for_images_and_images_for_labels) {
  EXPECT_THAT(refusal(idx_file({8}, kPixels)), HasSubstr("labels"));
  EXPECT_THAT(test::message_of<DataError>([&] {
                labels(idx_file({2, 4}, kPixels));
              }),
              HasSubstr("2 dimensions"));
}

TEST_F(Idx, refuses_empty_arrays) {
  EXPECT_THAT(refusal(idx_file({0, 28, 28}, "")), HasSubstr("empty"));
  EXPECT_THAT(refusal(idx_file({3, 0}, "")), HasSubstr("empty"));
}

TEST_F(Idx, refuses_sizes_that_no_file_of_this_length_can_hold) {
  const std::uint32_t huge = 0xffffffffu;
  EXPECT_THAT(refusal(idx_file({huge, huge, huge}, kPixels)), HasSubstr("truncated"));
  EXPECT_THAT(refusal(gzip(idx_file({huge, 4}, kPixels))), HasSubstr("truncated"));
  std::vector<std::uint32_t> many(255, 2);
  EXPECT_THAT(refusal(idx_file(many, kPixels)), HasSubstr("truncated"));
}

TEST_F(Idx, refuses_what_would_not_fit_into_memory_however_well_it_is_compressed) {
  const std::int64_t room = available_memory_bytes();
  constexpr std::uint32_t kSide = 1024;
  const auto num_images = static_cast<std::uint32_t>(2 * room / (kSide * kSide));
  test::write_bytes(path_, gzip(idx_file({num_images, kSide, kSide}, "")));
  std::filesystem::resize_file(path_, static_cast<std::uintmax_t>(room / 256));  // with zeros
  EXPECT_THAT(test::message_of<DataError>([&] { open_idx(path_); }), HasSubstr("are free"));
}

TEST_F(Idx, says_how_to_select_rows_by_labels_of_another_kind) {
  test::write_bytes(path_, "\x93NUMPY\x01");
  EXPECT_THAT(test::message_of<DataError>([&] { read_idx_labels(path_); }),
              HasSubstr("numpy.isin"));
}

TEST_F(Idx, refuses_a_missing_file) {
  EXPECT_THROW(open_idx(folder_.file("missing")), DataError);
  EXPECT_THROW(read_idx_labels(folder_.file("missing")), DataError);
}

}  // namespace
}  // namespace kantor::data
