#pragma once

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "runtime/data/file_system.hpp"

namespace kantor::test {

/// The kernel's file calls with a fault at the n-th of them.
class FaultyFiles : public data::FileSystem {
 public:
  enum class Fault { none, fail, kill_before, kill_after };
  static constexpr int kKilled = 99;  ///< exit code of a killed process

  Fault fault = Fault::none;
  int fault_at = 0;  ///< the call that meets the fault, from 1
  int error_number = EIO;
  bool interrupts = false;  ///< every other call that may be repeated is interrupted
  std::size_t longest = std::numeric_limits<std::size_t>::max();  ///< of one read or write
  std::int64_t free_bytes = std::numeric_limits<std::int64_t>::max();
  std::function<void(const std::string& call)> after;  ///< called after each call that was made
  std::vector<std::string> calls;

  int open(const char* path, int flags, mode_t mode) override {
    return run<int>("open", true, [&] { return FileSystem::open(path, flags, mode); });
  }
  ssize_t read(int fd, void* data, std::size_t size) override {
    return run<ssize_t>("read", true,
                        [&] { return FileSystem::read(fd, data, std::min(size, longest)); });
  }
  ssize_t write(int fd, const void* data, std::size_t size) override {
    return run<ssize_t>("write", true, [&]() -> ssize_t {
      const auto room = static_cast<std::size_t>(free_bytes);
      if (room == 0) return errno = ENOSPC, -1;
      const ssize_t written = FileSystem::write(fd, data, std::min({size, longest, room}));
      if (written > 0) free_bytes -= written;
      return written;
    });
  }
  int fsync(int fd) override {
    return run<int>("fsync", true, [&] { return FileSystem::fsync(fd); });
  }
  int close(int fd) override {
    // Closed whatever it says, as in Linux.
    const int outcome = run<int>("close", false, [&] { return FileSystem::close(fd); });
    if (outcome != 0) FileSystem::close(fd);
    return outcome;
  }
  int rename(const char* from, const char* to) override {
    return run<int>("rename", false, [&] { return FileSystem::rename(from, to); });
  }
  int unlink(const char* path) override {
    return run<int>("unlink", false, [&] {
      std::error_code ignored;
      const auto size = std::filesystem::file_size(path, ignored);
      const int outcome = FileSystem::unlink(path);
      const bool is_limited = free_bytes < std::numeric_limits<std::int64_t>::max() / 2;
      if (outcome == 0 && is_limited && !ignored) free_bytes += static_cast<std::int64_t>(size);
      return outcome;
    });
  }
  int truncate(int fd, off_t size) override {
    return run<int>("truncate", false, [&] { return FileSystem::truncate(fd, size); });
  }
  int lock(int fd, int operation) override {
    return run<int>("lock", true, [&] { return FileSystem::lock(fd, operation); });
  }

 private:
  template <class Result, class Call>
  Result run(const std::string& name, bool may_repeat, const Call& call) {
    calls.push_back(name);
    const bool is_hit = static_cast<int>(calls.size()) == fault_at;
    if (is_hit && fault == Fault::fail) return errno = error_number, Result{-1};
    if (is_hit && fault == Fault::kill_before) ::_exit(kKilled);
    if (interrupts && may_repeat && (was_interrupted_ = !was_interrupted_)) {
      return errno = EINTR, Result{-1};
    }
    const Result result = call();
    if (is_hit && fault == Fault::kill_after) ::_exit(kKilled);
    const int error = errno;
    if (after) after(name);
    errno = error;
    return result;
  }

  bool was_interrupted_ = false;
};

}  // namespace kantor::test
