#include "runtime/core/text_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "runtime/core/error.hpp"

namespace kantor {
namespace {

[[noreturn]] void refuse(const std::string& path, const std::string& reason) {
  throw DataError(concat("cannot read ", path, ": ", reason));
}

class OpenText {
 public:
  // O_NONBLOCK: opening a named pipe must not wait for a writer.
  explicit OpenText(const std::string& path)
      : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd_ < 0) refuse(path, std::strerror(errno));
  }
  ~OpenText() { ::close(fd_); }  // opened for reading: nothing to lose
  OpenText(const OpenText&) = delete;
  OpenText& operator=(const OpenText&) = delete;
  int get() const { return fd_; }

 private:
  int fd_;
};

/// How many bytes are to come; 0 for a pipe.
std::size_t announced_size(const OpenText& file, const std::string& path, Pipes pipes) {
  struct stat status {};
  if (::fstat(file.get(), &status) != 0) refuse(path, std::strerror(errno));
  if (S_ISREG(status.st_mode)) return static_cast<std::size_t>(status.st_size);
  if (S_ISDIR(status.st_mode)) refuse(path, "it is a folder; name a file in it");
  if (!S_ISFIFO(status.st_mode) || pipes == Pipes::refused) refuse(path, "not a regular file");
  // From here on the writer is waited for.
  if (::fcntl(file.get(), F_SETFL, O_RDONLY) != 0) refuse(path, std::strerror(errno));
  return 0;
}

void check_length(std::size_t size, const std::string& path) {
  if (size <= kLongestTextFile) return;
  refuse(path, concat("it is longer than the ", kLongestTextFile >> 20,
                      " MB of the longest text that is read; is it another file?"));
}

}  // namespace

std::string read_whole_text(const std::string& path, Pipes pipes) {
  constexpr std::size_t kPiece = std::size_t{1} << 16;
  const OpenText file(path);
  check_length(announced_size(file, path, pipes), path);
  std::string text;
  for (;;) {
    const std::size_t at = text.size();
    text.resize(at + kPiece);
    const ssize_t count = ::read(file.get(), text.data() + at, kPiece);
    text.resize(at + static_cast<std::size_t>(std::max<ssize_t>(count, 0)));
    if (count == 0) return text;
    if (count < 0 && errno != EINTR) {
      throw IoError(concat("reading ", path, " broke off: ", std::strerror(errno)));
    }
    check_length(text.size(), path);
  }
}

void refuse_pipe(const std::string& path) {
  std::error_code ignored;
  if (!std::filesystem::is_fifo(path, ignored)) return;
  throw IoError(concat("cannot write ", path, ": it is a pipe; remove it"));
}

}  // namespace kantor
