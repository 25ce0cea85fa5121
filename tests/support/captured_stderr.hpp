#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "tests/support/temporary_directory.hpp"

namespace kantor::test {

/// Sends file descriptor 2 into a file while it lives.
class CapturedStderr {
 public:
  CapturedStderr() : saved_(dup(STDERR_FILENO)) {
    (void)std::fflush(stderr);
    const int file = open(path().c_str(), O_CREAT | O_WRONLY | O_APPEND, 0600);
    if (saved_ < 0 || file < 0 || dup2(file, STDERR_FILENO) < 0) {
      throw std::runtime_error("cannot capture stderr");
    }
    close(file);
  }
  ~CapturedStderr() {
    (void)std::fflush(stderr);
    (void)dup2(saved_, STDERR_FILENO);
    close(saved_);
  }
  CapturedStderr(const CapturedStderr&) = delete;
  CapturedStderr& operator=(const CapturedStderr&) = delete;

  std::string text() const {
    (void)std::fflush(stderr);
    std::ifstream in(path(), std::ios::binary);
    return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  }

 private:
  std::string path() const { return folder_.file("stderr"); }

  TemporaryDirectory folder_;
  int saved_;
};

}  // namespace kantor::test
