#include "distributed/nccl/nccl_handle.hpp"

#include <unistd.h>

#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "distributed/nccl/device_calls.hpp"

namespace kantor::nccl {
namespace {

constexpr std::chrono::milliseconds kAbortGrace{1000};
constexpr std::chrono::seconds kEndOfProcess{20};

/// Where ncclCommAbort hangs, so may the driver's own clean-up at exit.
void end_process_later() {
  std::thread([] {
    std::this_thread::sleep_for(kEndOfProcess);
    _exit(static_cast<int>(ExitCode::resume));
  }).detach();
}

}  // namespace

void NcclHandle::open(const ncclUniqueId& id, int size, int rank, int device) {
  device_ = device;
  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  config.blocking = 0;
  config.commName = "kantor";
  accept(ncclCommInitRankConfig(&comm_, size, id, rank, &config), "ncclCommInitRankConfig");
  check_set(comm_, "ncclCommInitRankConfig");
}

void NcclHandle::verify(int size, int rank) const {
  int has_size = -1;
  int has_rank = -1;
  check(ncclCommCount(comm_, &has_size), "ncclCommCount", comm_);
  check(ncclCommUserRank(comm_, &has_rank), "ncclCommUserRank", comm_);
  if (has_size != size || has_rank != rank) {
    throw DeviceFault(concat("NCCL made rank ", has_rank, " of ", has_size, "; expected rank ",
                             rank, " of ", size));
  }
}

bool NcclHandle::is_pending() const {
  ncclResult_t state = ncclInternalError;  // so that a call that sets nothing is not success
  check(ncclCommGetAsyncError(comm_, &state), "ncclCommGetAsyncError", comm_);
  if (state == ncclInProgress) return true;
  if (state != ncclSuccess) throw AsyncFault(reason_of(state, "NCCL", comm_));
  return false;
}

void NcclHandle::accept(ncclResult_t code, const char* function) const {
  if (code != ncclInProgress) check(code, function, comm_);
}

void NcclHandle::start_closing() { accept(ncclCommFinalize(comm_), "ncclCommFinalize"); }

void NcclHandle::close() {
  check(ncclCommDestroy(std::exchange(comm_, nullptr)), "ncclCommDestroy", nullptr);
}

void NcclHandle::abort() noexcept try {
  if (comm_ == nullptr) return;
  std::promise<void> promise;
  const std::future<void> aborted = promise.get_future();
  std::thread([comm = std::exchange(comm_, nullptr), device = device_,
               done = std::move(promise)]() mutable {
    // Nothing can be done about a failure: the error that led here is being reported.
    if (cudaSetDevice(device) == cudaSuccess) static_cast<void>(ncclCommAbort(comm));
    done.set_value();
  }).detach();
  if (aborted.wait_for(kAbortGrace) != std::future_status::ready) end_process_later();
} catch (const std::exception&) {  // no thread to be had; the process leaves anyway
}

}  // namespace kantor::nccl
