#include "launch/stop_requests.hpp"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "runtime/core/process.hpp"

namespace kantor::launch {
namespace {

// A signal handler can reach nothing but this.
volatile std::sig_atomic_t caught_signal = 0;

extern "C" void on_stop_signal(int number) {
  if (number == SIGINT && caught_signal == SIGINT) _exit(128 + SIGINT);
  caught_signal = number;
}

const char* name_of(int number) {
  if (number == SIGUSR1) return "SIGUSR1";
  if (number == SIGTERM) return "SIGTERM";
  return "Ctrl-C";
}

}  // namespace

void catch_stop_signals() {
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int number : {SIGUSR1, SIGTERM, SIGINT}) sigaction(number, &action, nullptr);
}

bool StopRequests::requested() {
  if (!reason_.empty()) return true;
  const double now_s = monotonic_seconds();
  if (caught_signal != 0) {
    reason_ = name_of(caught_signal);
  } else if (!options_.stop_file.empty() && now_s - last_look_s_ > 0.5) {
    last_look_s_ = now_s;
    if (access(options_.stop_file.c_str(), F_OK) == 0) reason_ = "a file " + options_.stop_file;
  }
  if (reason_.empty() && is_due(now_s)) reason_ = "the end of its time";
  last_call_s_ = now_s;
  return !reason_.empty();
}

void StopRequests::note_save(double seconds) {
  longest_save_s_ = std::max(longest_save_s_, seconds);
}

bool StopRequests::is_due(double now_s) {
  if (last_call_s_ > 0) longest_step_s_ = std::max(longest_step_s_, now_s - last_call_s_);
  return options_.deadline_s > 0 &&
         options_.deadline_s - now_s < 2 * (longest_step_s_ + longest_save_s_);
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
