#include "launch/stop_requests.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string_view>

#include "runtime/core/process.hpp"

namespace kantor::launch {
namespace {

// A signal handler can reach nothing but this.
volatile std::sig_atomic_t caught_signal = 0;

extern "C" void on_stop_signal(int number) {
  // Before anything else: the next one may come at once, on another thread.
  const int before = caught_signal;
  caught_signal = number;
  if (number != SIGINT) return;
  if (before == SIGINT) _exit(128 + SIGINT);
  constexpr std::string_view kAnswer = "\nsaving, then stopping; Ctrl-C once more ends at once\n";
  const int error_number = errno;
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kAnswer.data(), kAnswer.size());
  errno = error_number;
}

// Causes that are no signals; a larger one wins when ranks have different ones.
constexpr std::int64_t kEndOfTime = 1000;
constexpr std::int64_t kStopFile = 1001;

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART | SA_ONSTACK;  // see SignalStack
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGUSR1, SIGTERM, SIGINT, SIGHUP}) {
    struct sigaction before {};
    sigaction(number, nullptr, &before);
    const bool is_nohup = number == SIGHUP && before.sa_handler == SIG_IGN;
    if (!is_nohup) sigaction(number, &action, nullptr);
  }
}

bool StopRequests::requested() {
  if (cause_ != 0) return true;
  const double now_s = monotonic_seconds();
  if (caught_signal != 0) {
    cause_ = caught_signal;
  } else if (!options_.stop_file.empty() && now_s - last_look_s_ > 0.5) {
    last_look_s_ = now_s;
    if (access(options_.stop_file.c_str(), F_OK) == 0) cause_ = kStopFile;
  }
  if (cause_ == 0 && is_due(now_s)) cause_ = kEndOfTime;
  last_call_s_ = now_s;
  return cause_ != 0;
}

void StopRequests::note_save(double seconds) {
  longest_save_s_ = std::max(longest_save_s_, seconds);
}

bool StopRequests::is_due(double now_s) {
  if (last_call_s_ > 0) longest_step_s_ = std::max(longest_step_s_, now_s - last_call_s_);
  return options_.deadline_s > 0 &&
         options_.deadline_s - now_s < 2 * (longest_step_s_ + longest_save_s_);
}

std::string reason_of(std::int64_t cause) {
  if (cause == kStopFile) return "the file STOP in the run directory";
  if (cause == kEndOfTime) return "the end of its time";
  if (cause == SIGINT) return "Ctrl-C";
  if (cause == SIGHUP) return "SIGHUP";
  return cause == SIGUSR1 ? "SIGUSR1" : "SIGTERM";
}

double deadline_of(double start_s, double max_wall_s) {
  double deadline_s = max_wall_s > 0 ? start_s + max_wall_s : 0;
  if (const char* text = std::getenv("SLURM_JOB_END_TIME")) {
    std::int64_t end = 0;  // seconds since 1970
    const auto [stop, failure] = std::from_chars(text, text + std::strlen(text), end);
    if (failure == std::errc() && *stop == '\0') {
      const double left_s =
          static_cast<double>(end - static_cast<std::int64_t>(std::time(nullptr)));
      const double job_end_s = monotonic_seconds() + left_s;
      deadline_s = deadline_s > 0 ? std::min(deadline_s, job_end_s) : job_end_s;
    }
  }
  return deadline_s;
}

}  // namespace kantor::launch
