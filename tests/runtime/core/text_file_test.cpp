#include "runtime/core/text_file.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "runtime/core/error.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"

namespace kantor {
namespace {

using test::message_of;
using testing::HasSubstr;

class TextFile : public testing::Test {
 protected:
  std::string pipe() const {
    EXPECT_EQ(mkfifo(folder_.file("pipe").c_str(), 0600), 0);
    return folder_.file("pipe");
  }
  test::TemporaryDirectory folder_;
  std::string path_ = folder_.file("text");
};

TEST_F(TextFile, is_read_whole_with_every_byte) {
  std::string text;
  for (int i = 0; i < 200'000; ++i) text += static_cast<char>(i % 256);
  std::ofstream(path_, std::ios::binary) << text;
  EXPECT_EQ(read_whole_text(path_), text);
  std::ofstream(path_, std::ios::binary | std::ios::trunc);
  EXPECT_EQ(read_whole_text(path_), "");
}

TEST_F(TextFile, may_be_a_pipe_where_that_is_said) {
  const std::string path = pipe();
  const int writer = open(path.c_str(), O_RDWR);  // a reader too, so that it opens at once
  ASSERT_GE(writer, 0);
  std::thread later([&] {
    EXPECT_EQ(write(writer, "some text", 9), 9);
    close(writer);
  });
  EXPECT_EQ(read_whole_text(path, Pipes::read), "some text");
  later.join();
}

TEST_F(TextFile, that_is_a_pipe_is_refused_elsewhere_without_waiting) {
  const std::string path = pipe();
  EXPECT_THAT(message_of<DataError>([&] { read_whole_text(path); }),
              HasSubstr("not a regular file"));
  EXPECT_EQ(read_whole_text(path, Pipes::read), "");  // nobody writes
}

TEST_F(TextFile, is_refused_where_it_might_never_end) {
  std::filesystem::create_symlink("/dev/full", path_);
  for (const std::string& path : {std::string("/dev/zero"), path_}) {
    EXPECT_THAT(message_of<DataError>([&] { read_whole_text(path, Pipes::read); }),
                HasSubstr("not a regular file"));
  }
  EXPECT_THAT(message_of<DataError>([&] { read_whole_text(folder_.path().string()); }),
              HasSubstr("folder"));
  EXPECT_THAT(message_of<DataError>([&] { read_whole_text(folder_.file("none")); }),
              HasSubstr("No such file"));
}

TEST_F(TextFile, is_refused_beyond_the_longest) {
  std::ofstream(path_, std::ios::binary) << 'x';
  std::filesystem::resize_file(path_, kLongestTextFile);
  EXPECT_EQ(read_whole_text(path_).size(), kLongestTextFile);
  std::filesystem::resize_file(path_, kLongestTextFile + 1);
  EXPECT_THAT(message_of<DataError>([&] { read_whole_text(path_); }), HasSubstr("longer than"));
}

}  // namespace
}  // namespace kantor
