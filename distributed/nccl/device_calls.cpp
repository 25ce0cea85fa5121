#include "distributed/nccl/device_calls.hpp"

#include <dlfcn.h>

#include <algorithm>

#include "distributed/collectively.hpp"
#include "distributed/polling.hpp"
#include "distributed/wait_clock.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"

namespace kantor::nccl {
namespace {

constexpr double kFirstRound_s = 0.01;  // of polling before the ranks compare notes
constexpr double kLongestRound_s = 0.5;

/// Whether it was done within `limit_s`.
bool poll_for(const IsDone& is_done, double limit_s) {
  for (int spin = 0; spin < kNumSpins; ++spin) {
    if (is_done()) return true;
  }
  WaitClock clock(monotonic_seconds());
  while (!is_done()) {
    const double waited_s = clock.waited_s(monotonic_seconds());
    if (waited_s > limit_s) return false;
    pause_between_polls(waited_s);
  }
  return true;
}

std::string too_late(double timeout_s) {
  return concat("not finished after ", format_number(timeout_s), " s");
}

}  // namespace

std::string path_of(const void* function) {
  Dl_info info{};
  return dladdr(function, &info) == 0 || info.dli_fname == nullptr ? "?" : info.dli_fname;
}

bool went_well(cudaError_t code) {
  if (code != cudaSuccess) static_cast<void>(cudaGetLastError());
  return code == cudaSuccess;
}

void check(cudaError_t code, const char* function) {
  if (went_well(code)) return;
  throw DeviceFault(concat(function, ": ", cudaGetErrorString(code), " (CUDA error ",
                           static_cast<int>(code), ")"));
}

std::string reason_of(ncclResult_t code, const char* function, ncclComm_t comm) {
  std::string reason = concat(function, ": ", ncclGetErrorString(code), " (NCCL error ",
                              static_cast<int>(code), ")");
  const char* detail = ncclGetLastError(comm);
  if (detail != nullptr && *detail != '\0') reason += concat(": ", detail);
  return reason;
}

void check(ncclResult_t code, const char* function, ncclComm_t comm) {
  if (code != ncclSuccess) throw DeviceFault(reason_of(code, function, comm));
}

void check_set(const void* result, const char* function) {
  if (result == nullptr) throw DeviceFault(concat(function, " reports success, but gave nothing"));
}

bool is_reached(cudaEvent_t event) {
  const cudaError_t code = cudaEventQuery(event);
  if (went_well(code)) return true;
  if (code != cudaErrorNotReady) check(code, "cudaEventQuery");
  return false;
}

void poll(const IsDone& is_done, double timeout_s) {
  if (poll_for(is_done, timeout_s)) return;
  throw Overdue(too_late(timeout_s));
}

void poll_together(Communicator& host, std::string_view what, const IsDone& is_done,
                   double timeout_s) {
  enum State : std::int64_t { kDone, kPending, kFailed };  // the maximum speaks for all
  WaitClock clock(monotonic_seconds());
  State mine = kPending;
  std::string reason;
  std::int64_t all = kPending;
  for (double round_s = kFirstRound_s; all == kPending;
       round_s = std::min(2 * round_s, kLongestRound_s)) {
    try {
      if (mine == kPending && poll_for(is_done, round_s)) mine = kDone;
      const double waited_s = clock.waited_s(monotonic_seconds());
      if (mine == kPending && waited_s > timeout_s) throw DeviceFault(too_late(timeout_s));
    } catch (const DeviceFault& fault) {
      mine = kFailed;
      reason = fault.what();
    }
    all = host.agree(mine, what);
  }
  collectively(host, what, [&] {
    if (mine == kFailed) throw CommError(concat(what, ": ", reason));
  });
}

}  // namespace kantor::nccl
