#include "launch/output_directory.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <span>
#include <system_error>

#include "runtime/core/error.hpp"
#include "runtime/core/text_file.hpp"
#include "runtime/data/atomic_file.hpp"

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;

/// Absolute, and without a slash at its end.
fs::path clean(const std::string& path) {
  const fs::path full = fs::absolute(path).lexically_normal();
  return full.has_filename() ? full : full.parent_path();
}

std::string reason(int error_number) { return std::generic_category().message(error_number); }

[[noreturn]] void refuse_existing(const std::string& path, const char* what) {
  throw ConfigError(concat("output directory ", path, " ", what,
                           "; nothing is written over: choose another with --out"));
}

void check_existing(const std::string& path, const fs::path& folder) {
  std::error_code failure;
  if (!fs::is_directory(folder, failure)) refuse_existing(path, "exists and is not a directory");
  const bool is_empty = fs::is_empty(folder, failure);
  if (failure) throw IoError(concat("cannot read the folder ", path, ": ", failure.message()));
  if (!is_empty) refuse_existing(path, "exists and is not empty");
}

}  // namespace

void check_output_directory(const std::string& path) {
  const fs::path folder = clean(path);
  std::error_code ignored;
  if (fs::exists(folder, ignored)) check_existing(path, folder);
  fs::path ancestor = folder;
  while (!fs::exists(ancestor, ignored) && ancestor.has_relative_path()) {
    ancestor = ancestor.parent_path();
  }
  if (!fs::is_directory(ancestor, ignored)) {
    throw IoError(concat("cannot create the output directory ", path, ": ", ancestor.string(),
                         " is not a directory; choose another with --out"));
  }
  if (access(ancestor.c_str(), W_OK | X_OK) != 0) {
    throw IoError(concat("cannot create the output directory ", path, ": no right to write in ",
                         ancestor.string(), " (", reason(errno), "); choose another with --out"));
  }
}

void create_output_directory(const std::string& path) {
  const fs::path folder = clean(path);
  std::error_code failure;
  fs::create_directories(folder.parent_path(), failure);
  if (failure) {
    throw IoError(concat("cannot create ", folder.parent_path().string(), ": ", failure.message(),
                         "; choose another place with --out"));
  }
  if (mkdir(folder.c_str(), 0777) == 0) return;
  const int error_number = errno;
  if (error_number != EEXIST) {
    throw IoError(concat("cannot create the output directory ", path, ": ", reason(error_number),
                         "; choose another with --out"));
  }
  check_existing(path, folder);
}

std::string read_text_file(const std::string& path) {
  std::error_code failure;
  return fs::exists(path, failure) ? read_whole_text(path) : "";
}

void write_text_file(const std::string& path, std::string_view text) {
  data::AtomicFile file(path);
  file.write(std::as_bytes(std::span(text.data(), text.size())));
  file.commit();
}

}  // namespace kantor::launch
