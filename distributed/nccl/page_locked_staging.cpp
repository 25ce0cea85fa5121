#include "distributed/nccl/page_locked_staging.hpp"

#include <algorithm>
#include <exception>

#include "distributed/nccl/device_calls.hpp"

namespace kantor::nccl {

PageLockedStaging::PageLockedStaging(std::size_t bytes)
    : bytes_(bytes), exceptions_before_(std::uncaught_exceptions()) {
  as<ConfigError>(concat("page-locked memory for a batch of ", bytes, " bytes"), [&] {
    for (Slot& slot : slots_) {
      check(cudaHostAlloc(&slot.memory, std::max(bytes, std::size_t{1}), cudaHostAllocDefault),
            "cudaHostAlloc");
      check_set(slot.memory, "cudaHostAlloc");
      check(cudaEventCreateWithFlags(&slot.event, cudaEventDisableTiming),
            "cudaEventCreateWithFlags");
      check_set(slot.event, "cudaEventCreateWithFlags");
    }
  });
}

PageLockedStaging::~PageLockedStaging() {
  if (std::uncaught_exceptions() > exceptions_before_) return;
  for (const Slot& slot : slots_) {  // a failure here changes no result, and no call may follow it
    if (!went_well(cudaFreeHost(slot.memory))) return;
    if (!went_well(cudaEventDestroy(slot.event))) return;
  }
}

bool PageLockedStaging::is_free() {
  bool is_through = false;
  as<CommError>("copying a batch to the GPU",
                [&] { is_through = is_reached(slots_[turn_].event); });
  return is_through;
}

void PageLockedStaging::send(void* to_device, std::size_t bytes, void* stream) {
  KANTOR_CHECK(bytes <= bytes_, bytes, " bytes from a buffer of ", bytes_);
  const Slot& slot = slots_[turn_];
  const auto queue = static_cast<cudaStream_t>(stream);
  as<CommError>("copying a batch to the GPU", [&] {
    check(cudaMemcpyAsync(to_device, slot.memory, bytes, cudaMemcpyHostToDevice, queue),
          "cudaMemcpyAsync");
    check(cudaEventRecord(slot.event, queue), "cudaEventRecord");
  });
  turn_ = 1 - turn_;
}

}  // namespace kantor::nccl
