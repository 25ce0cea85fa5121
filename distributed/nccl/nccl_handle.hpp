#pragma once

#include <nccl.h>

namespace kantor::nccl {

/// NCCL's communicator, non-blocking: calls return at once and are polled. Does not free itself.
class NcclHandle {
 public:
  /// Starts; done when is_pending() is false. Collective over the GPUs. @throws DeviceFault.
  void open(const ncclUniqueId& id, int size, int rank, int device);
  /// Once open: it is the one that was asked for. @throws DeviceFault.
  void verify(int size, int rank) const;
  /// Whether NCCL is still at the last call. @throws AsyncFault if something failed since, here
  /// or on a peer.
  bool is_pending() const;
  /// Hands over the code of a call on it, which may be ncclInProgress. @throws DeviceFault.
  void accept(ncclResult_t code, const char* function) const;
  ncclComm_t get() const { return comm_; }

  /// Flushes; done when is_pending() is false. @throws DeviceFault.
  void start_closing();
  void close();

  /// Best effort, and bounded: ncclCommAbort is known to hang, so it runs on a thread of its own
  /// that is left behind. Nothing may be called on this object or its GPU afterwards.
  void abort() noexcept;

 private:
  ncclComm_t comm_ = nullptr;
  int device_ = 0;
};

}  // namespace kantor::nccl
