#pragma once

#include <sstream>
#include <stdexcept>
#include <string>

namespace kantor {

/// What a process returns; launch/RUNS.md lists the meanings.
enum class ExitCode : int {
  done = 0,
  usage = 2,
  data = 3,
  not_converged = 4,
  internal = 70,
  io = 74,
  resume = 75,
  config = 78,
};

/// Root of the error tree. A message says what was attempted, the values met, what was expected,
/// and the next move; each leaf knows the exit code it leads to.
class Error : public std::runtime_error {
 public:
  Error(ExitCode exit_code, const std::string& message)
      : std::runtime_error(message), exit_code_(exit_code) {}
  ExitCode exit_code() const { return exit_code_; }

  /// True once all ranks know of this error and leave with its code: main may then finalise in
  /// peace. Otherwise the peers are waiting somewhere and main must end them.
  bool is_agreed() const { return is_agreed_; }
  void mark_agreed() { is_agreed_ = true; }

 private:
  ExitCode exit_code_;
  bool is_agreed_ = false;
};

/// Wrong verb or flag.
struct UsageError : Error {
  explicit UsageError(const std::string& message) : Error(ExitCode::usage, message) {}
};
/// Input data missing, damaged, of wrong shape, or not finite.
struct DataError : Error {
  explicit DataError(const std::string& message) : Error(ExitCode::data, message) {}
};
/// A numerical or internal failure.
struct NumericError : Error {
  explicit NumericError(const std::string& message) : Error(ExitCode::internal, message) {}
};
/// A caller inside kantor passed buffers whose shapes do not fit.
struct ShapeError : NumericError {
  using NumericError::NumericError;
};
/// A caller inside kantor passed a value outside the documented range.
struct ValueError : NumericError {
  using NumericError::NumericError;
};
/// The file system refused.
struct IoError : Error {
  explicit IoError(const std::string& message) : Error(ExitCode::io, message) {}
};
/// A collective failed, or a rank was lost or hung.
struct CommError : Error {
  explicit CommError(const std::string& message) : Error(ExitCode::resume, message) {}
};
/// Configuration, environment, or a mismatch between ranks.
struct ConfigError : Error {
  explicit ConfigError(const std::string& message) : Error(ExitCode::config, message) {}
};

/// The arguments streamed one after the other.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::ostringstream out;
  (out << ... << parts);
  return out.str();
}

[[noreturn]] void throw_check_failure(const char* condition, const char* file, int line,
                                      const std::string& message);

}  // namespace kantor

/// A caller's mistake ends here, in release builds too: KANTOR_CHECK(n > 0, "n is ", n);
#define KANTOR_CHECK(condition, ...)                                \
  do {                                                              \
    if (!(condition)) {                                             \
      ::kantor::throw_check_failure(#condition, __FILE__, __LINE__, \
                                    ::kantor::concat(__VA_ARGS__)); \
    }                                                               \
  } while (false)
