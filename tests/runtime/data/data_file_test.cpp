#include "runtime/data/data_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>

#include <filesystem>

#include "runtime/data/fingerprint.hpp"
#include "runtime/data/mapping_table.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::data {
namespace {

using testing::HasSubstr;

constexpr std::size_t kMapped = 0;  // largest in memory: none

class DataFiles : public testing::Test {
 protected:
  DataFiles() { test::write_bytes(path_, "0123456789"); }

  /// Into the file itself, as another program does.
  void write_at(std::streamoff position, char value) const {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(position);
    ASSERT_TRUE(file.put(value).flush().good());
  }
  /// Long ago, so that any write is seen however coarse the clock of the file system is.
  void set_old() const {
    constexpr timespec kOld[2] = {{.tv_sec = 1'000'000, .tv_nsec = 0},
                                  {.tv_sec = 1'000'000, .tv_nsec = 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path_.c_str(), kOld, 0), 0);
  }

  test::TemporaryDirectory folder_;
  std::string path_ = folder_.file("points");
};

std::string text_of(const DataFile& file) {
  return {reinterpret_cast<const char*>(file.bytes().data()), file.bytes().size()};
}

TEST_F(DataFiles, in_memory_do_not_care_what_happens_to_the_file) {
  const DataFile file(path_);
  std::filesystem::resize_file(path_, 0);
  EXPECT_EQ(text_of(file), "0123456789");
  EXPECT_EQ(file.changed(), "");
  EXPECT_FALSE(mapping_fault_at(file.bytes().data()));
}

TEST_F(DataFiles, mapped_and_left_alone_have_not_changed) {
  const DataFile file(path_, kMapped);
  EXPECT_EQ(text_of(file), "0123456789");
  EXPECT_EQ(file.changed(), "");
}

TEST_F(DataFiles, mapped_tell_of_other_bytes) {
  const DataFile file(path_, kMapped);
  write_at(3, 'x');
  EXPECT_THAT(file.changed(), HasSubstr("other bytes"));
  write_at(3, '3');  // seen whole, the same bytes are the same file
  EXPECT_EQ(file.changed(), "");
}

TEST_F(DataFiles, mapped_tell_of_another_size) {
  const DataFile file(path_, kMapped);
  std::filesystem::resize_file(path_, 4);  // read no more: what was behind it is gone
  EXPECT_THAT(file.changed(), HasSubstr("had 10 bytes and has 4"));
  std::filesystem::resize_file(path_, 11);
  EXPECT_THAT(file.changed(), HasSubstr("has 11"));
}

TEST_F(DataFiles, mapped_tell_of_a_write_between_the_blocks_that_are_hashed) {
  std::filesystem::resize_file(path_, 2 * Fingerprint::kLargestWhole);  // takes no room on the disk
  set_old();
  const DataFile file(path_, kMapped);
  EXPECT_EQ(file.changed(), "");
  write_at(3 << 19, 'x');  // the first block of 1 MB ends before, the second begins beyond 2 MB
  EXPECT_THAT(file.changed(), HasSubstr("written"));
}

TEST_F(DataFiles, mapped_stay_what_they_were_when_another_file_takes_their_name) {
  const DataFile file(path_, kMapped);
  test::write_bytes(folder_.file("new"), "another one");
  std::filesystem::rename(folder_.file("new"), path_);
  EXPECT_EQ(file.changed(), "");
  EXPECT_EQ(text_of(file), "0123456789");
}

TEST_F(DataFiles, mapped_are_known_by_their_addresses_while_they_live) {
  const std::byte* address = nullptr;
  {
    const DataFile file(path_, kMapped);
    address = file.bytes().data();
    const auto fault = mapping_fault_at(address + 3);
    ASSERT_TRUE(fault);
    EXPECT_EQ(fault->path, path_);
    EXPECT_EQ(fault->at, 3u);
    EXPECT_EQ(fault->size, 10u);
    EXPECT_EQ(fault->size_now, 10u);
    EXPECT_FALSE(mapping_fault_at(address + 10));
    EXPECT_FALSE(mapping_fault_at(address - 1));
  }
  EXPECT_FALSE(mapping_fault_at(address + 3));
}

TEST_F(DataFiles, are_refused_where_there_is_nothing_to_read) {
  const auto refusal = [](const std::string& path) {
    return test::message_of<DataError>([&] { DataFile file(path); });
  };
  EXPECT_THAT(refusal(folder_.file("none")), HasSubstr("No such file"));
  EXPECT_THAT(refusal(folder_.path().string()), HasSubstr("it is a folder; name a file in it"));
  EXPECT_THAT(refusal("/dev/zero"), HasSubstr("not a regular file"));
  ASSERT_EQ(mkfifo(folder_.file("pipe").c_str(), 0600), 0);
  EXPECT_THAT(refusal(folder_.file("pipe")), HasSubstr("not a regular file"));
  test::write_bytes(path_, "");
  EXPECT_THAT(refusal(path_), HasSubstr("empty"));
}

}  // namespace
}  // namespace kantor::data
