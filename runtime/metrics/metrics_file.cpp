#include "runtime/metrics/metrics_file.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/text_file.hpp"

namespace kantor::metrics {
namespace {

/// Length of the file up to and with its last line break. [bytes]
std::uintmax_t whole_lines_bytes(const std::string& path, std::uintmax_t size) {
  constexpr std::uintmax_t kBlock = 4096;
  std::ifstream in(path, std::ios::binary);
  std::string block;
  for (std::uintmax_t end = size; end > 0;) {
    const std::uintmax_t begin = end - std::min(kBlock, end);
    block.resize(static_cast<std::size_t>(end - begin));
    in.seekg(static_cast<std::streamoff>(begin));
    if (!in.read(block.data(), static_cast<std::streamsize>(block.size()))) {
      throw IoError(concat("cannot read ", path, " to append to it: ", std::strerror(errno)));
    }
    const auto last = block.rfind('\n');
    if (last != std::string::npos) return begin + last + 1;
    end = begin;
  }
  return 0;
}

void cut_unfinished_line(const std::string& path) {
  namespace fs = std::filesystem;
  std::error_code error;
  if (!fs::is_regular_file(path, error)) return;  // not there yet, or opening it will say why not
  const std::uintmax_t size = fs::file_size(path);
  const std::uintmax_t whole = whole_lines_bytes(path, size);
  if (whole < size) fs::resize_file(path, whole);
}

}  // namespace

struct MetricsFile::State {
  std::string path;
  std::ofstream out;
  bool has_warned = false;

  /// @throws IoError.
  void open() {
    try {
      cut_unfinished_line(path);
    } catch (const std::filesystem::filesystem_error& error) {
      throw IoError(concat("cannot prepare ", path, " for appending: ", error.code().message()));
    }
    refuse_pipe(path);
    out = std::ofstream();
    out.rdbuf()->pubsetbuf(nullptr, 0);  // nothing of a line that failed may come later
    errno = 0;
    out.open(path, std::ios::app | std::ios::binary);
    if (!out) throw IoError(concat("cannot open ", path, ": ", std::strerror(errno)));
  }

  void append(const std::string& text) {
    if (!out) open();  // after a line that failed, what there is of it goes first
    errno = 0;
    out << text << std::flush;
    if (!out) throw IoError(concat("cannot write ", path, ": ", std::strerror(errno)));
  }
};

MetricsFile::MetricsFile() = default;
MetricsFile::~MetricsFile() = default;
MetricsFile::MetricsFile(MetricsFile&&) noexcept = default;
MetricsFile& MetricsFile::operator=(MetricsFile&&) noexcept = default;

MetricsFile::MetricsFile(const std::string& path) : state_(std::make_unique<State>()) {
  state_->path = path;
  state_->open();
}

void MetricsFile::write(const std::string& phase, std::int64_t step,
                        std::initializer_list<std::pair<const char*, double>> values) {
  if (!state_) return;
  nlohmann::ordered_json line{{"phase", phase}, {"step", step}};
  for (const auto& [name, value] : values) line[name] = value;  // dump() writes NaN, inf as null
  using Json = nlohmann::ordered_json;
  const std::string text = line.dump(-1, ' ', false, Json::error_handler_t::replace) + '\n';
  try {
    state_->append(text);
  } catch (const IoError& error) {
    if (std::exchange(state_->has_warned, true)) return;
    std::fputs(concat("warning: ", error.what(), "; lines are missing there\n").c_str(), stderr);
  }
}

}  // namespace kantor::metrics
