#include "distributed/nccl/flight.hpp"

#include <utility>

namespace kantor::nccl {

void NcclCommunicator::Flight::open() {
  constexpr std::size_t kLongName = 64;
  for (Slot& slot : slots_) {
    check(cudaEventCreateWithFlags(&slot.event, cudaEventDisableTiming),
          "cudaEventCreateWithFlags");
    check_set(slot.event, "cudaEventCreateWithFlags");
    slot.what.reserve(kLongName);
  }
}

void NcclCommunicator::Flight::close() {
  for (Slot& slot : slots_) {
    check(cudaEventDestroy(std::exchange(slot.event, nullptr)), "cudaEventDestroy");
  }
}

void NcclCommunicator::Flight::add(const Call& call, cudaStream_t stream) {
  Slot& slot = slots_[(first_ + size_) % kMost];
  slot.what.assign(call.what);
  slot.call = call;
  slot.call.what = slot.what;
  check(cudaEventRecord(slot.event, stream), "cudaEventRecord");
  ++size_;
}

void NcclCommunicator::Flight::drop_oldest() {
  first_ = (first_ + 1) % kMost;
  --size_;
}

}  // namespace kantor::nccl
