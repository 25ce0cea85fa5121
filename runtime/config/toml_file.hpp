#pragma once

#include <string>

#include "runtime/config/value.hpp"

namespace kantor::config {

struct TomlFile {
  std::string text;  ///< as it was read, once: a pipe gives it only once
  Value root;
};

/// As parse_toml_file().
TomlFile read_toml_file(const std::string& path);

}  // namespace kantor::config
