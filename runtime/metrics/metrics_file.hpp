#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

namespace kantor::metrics {

/// metrics.jsonl: one JSON object a line, flushed line by line. NaN and inf are written as null.
class MetricsFile {
 public:
  /// A file that goes nowhere (ranks other than 0).
  MetricsFile();
  /// Appends to a file that exists (a resumed run); a last line that a killed run left unfinished
  /// is cut off first. @throws IoError.
  explicit MetricsFile(const std::string& path);
  ~MetricsFile();
  MetricsFile(MetricsFile&&) noexcept;
  MetricsFile& operator=(MetricsFile&&) noexcept;

  /// {"phase": phase, "step": step, name: value, ...}. A line that cannot be written (a full disk)
  /// is lost, which is said once on stderr: it must not stop a run that still computes.
  void write(const std::string& phase, std::int64_t step,
             std::initializer_list<std::pair<const char*, double>> values);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kantor::metrics
