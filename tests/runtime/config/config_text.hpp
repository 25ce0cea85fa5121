#pragma once

#include <fstream>
#include <string>

#include "runtime/config/value.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::test {

/// A problem file of the given text, for as long as the object lives.
class ConfigText {
 public:
  explicit ConfigText(const std::string& text) { std::ofstream(path(), std::ios::binary) << text; }
  std::string path() const { return folder_.file("problem.toml"); }
  std::string folder() const { return folder_.path().string(); }
  /// "…/problem.toml:LINE".
  std::string line(int number) const { return path() + ":" + std::to_string(number); }
  config::Value parsed() const { return config::parse_toml_file(path()); }

 private:
  TemporaryDirectory folder_;
};

inline config::Value parsed(const std::string& text) { return ConfigText(text).parsed(); }

}  // namespace kantor::test
