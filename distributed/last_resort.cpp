#include "distributed/last_resort.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {
namespace {

constexpr double kTick_s = 0.25;    // a stopped process counts as one tick, however long it was
constexpr double kStagger_s = 0.3;  // so that one rank has the word, and mpirun ends the others

}  // namespace

LastResort::LastResort(int rank) : rank_(rank), thread_([this] { run(); }) {}

LastResort::~LastResort() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

LastResort::Watch::Watch(LastResort& owner, double limit_s, Describe what) : owner_(owner) {
  const std::lock_guard lock(owner_.mutex_);
  outer_limit_s_ =
      std::exchange(owner_.limit_s_, limit_s + kStagger_s * std::min(owner_.rank_, 10));
  outer_what_ = std::exchange(owner_.what_, std::move(what));
  owner_.waited_s_ = 0;
}

LastResort::Watch::~Watch() {
  const std::lock_guard lock(owner_.mutex_);
  owner_.limit_s_ = outer_limit_s_;
  owner_.what_ = std::move(outer_what_);
  owner_.waited_s_ = 0;
}

void LastResort::run() {
  std::unique_lock lock(mutex_);
  while (!is_over_) {
    changed_.wait_for(lock, std::chrono::duration<double>(kTick_s));
    if (limit_s_ == 0) continue;
    waited_s_ += kTick_s;
    if (waited_s_ <= limit_s_) continue;
    const std::string line =
        concat("kantor: error: [rank ", rank_, "] ", what_(), " does not come back after ",
               format_number(limit_s_),
               " s: a peer is lost, or MPI, NCCL or a driver hangs; start again\n");
    [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
    _exit(static_cast<int>(ExitCode::resume));
  }
}

}  // namespace kantor
