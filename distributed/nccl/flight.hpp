#pragma once

#include <array>
#include <string>

#include "distributed/nccl/device_calls.hpp"
#include "distributed/nccl/nccl_communicator.hpp"

namespace kantor::nccl {

/// The verbs that are on a stream and that the host has not seen done, oldest first: a ring, each
/// with an event behind it. Made once; a verb takes no event and no memory.
class NcclCommunicator::Flight {
 public:
  /// Far more than a trainer's steps between two looks have, so that the oldest is long done.
  static constexpr std::size_t kMost = 64;

  /// @throws DeviceFault.
  void open();
  void close();

  bool is_empty() const { return size_ == 0; }
  bool is_full() const { return size_ == kMost; }
  /// `call` is on the stream, as its last work so far. @throws DeviceFault.
  void add(const Call& call, cudaStream_t stream);
  const Call& oldest() const { return slots_[first_].call; }
  /// @throws DeviceFault.
  bool is_oldest_reached() const { return is_reached(slots_[first_].event); }
  void drop_oldest();

 private:
  struct Slot {
    cudaEvent_t event = nullptr;
    Call call{};
    std::string what;  ///< the caller's may not live so long
  };
  std::array<Slot, kMost> slots_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace kantor::nccl
