#include "runtime/core/log.hpp"

#include <spdlog/logger.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <string_view>

#include "runtime/core/error.hpp"
#include "runtime/core/text_file.hpp"

namespace kantor {

struct Log::State {
  Options options;
  std::string prefix;  ///< "[rank 3] ", empty on rank 0
  spdlog::logger terminal;
  std::unique_ptr<spdlog::logger> file;

  explicit State(const Options& chosen)
      : options(chosen),
        prefix(chosen.rank == 0 ? "" : concat("[rank ", chosen.rank, "] ")),
        terminal("terminal", std::make_shared<spdlog::sinks::stderr_sink_mt>()) {
    // On a terminal, first wipe the progress line that may be standing there.
    terminal.set_pattern(isatty(STDERR_FILENO) == 1 ? "\r\033[K%v" : "%v");
    terminal.flush_on(spdlog::level::trace);
    terminal.set_error_handler([](const std::string&) {});  // nowhere is left to say it
  }

  void to_file(spdlog::level::level_enum level, std::string_view message) const {
    if (file) file->log(level, spdlog::string_view_t(message.data(), message.size()));
  }
  void to_terminal(std::string_view message) {
    terminal.log(spdlog::level::info, spdlog::string_view_t(message.data(), message.size()));
  }
};

Log::Log(const Options& options) : state_(std::make_unique<State>(options)) {}
Log::~Log() = default;

void Log::open_file(const std::string& path) {
  if (state_->options.rank != 0) return;
  refuse_pipe(path);
  try {
    auto file = std::make_unique<spdlog::logger>(
        "file", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path));
    file->set_level(spdlog::level::trace);
    file->set_pattern("%Y-%m-%d %H:%M:%S.%e %l: %v");
    file->flush_on(spdlog::level::trace);  // a killed run leaves a complete log
    // A full disk must not stop a run that still computes; it is said once.
    file->set_error_handler(
        [state = state_.get(), path,
         said = std::make_shared<std::atomic<bool>>(false)](const std::string& reason) {
          if (said->exchange(true)) return;
          state->to_terminal(concat("warning: cannot write ", path, ": ", reason));
        });
    state_->file = std::move(file);
  } catch (const spdlog::spdlog_ex& error) {
    throw IoError(concat("cannot open the log ", path, ": ", error.what()));
  }
}

void Log::info(const std::string& message) {
  if (state_->options.rank != 0) return;
  if (!state_->options.quiet) state_->to_terminal(message);
  state_->to_file(spdlog::level::info, message);
}

void Log::warn(const std::string& message) {
  state_->to_terminal(concat(state_->prefix, "warning: ", message));
  state_->to_file(spdlog::level::warn, message);
}

void Log::warn_once(const std::string& message) {
  if (state_->options.rank == 0) warn(message);
}

void Log::detail(const std::string& message) { state_->to_file(spdlog::level::debug, message); }

}  // namespace kantor
