#pragma once

#include "distributed/nccl/nccl_communicator.hpp"

namespace kantor::nccl {

/// From the buffers of the caller to NCCL and back, step by step, so that it can be polled: no step
/// waits. Host buffers pass through the scratch; those in device memory go as they are, on the
/// caller's stream.
class NcclCommunicator::Transfer {
 public:
  Transfer(NcclCommunicator& owner, const Operation& operation)
      : owner_(owner), operation_(operation) {}
  /// Does what can be done now. @throws DeviceFault.
  bool is_done();

 private:
  void start();
  void bring_back();

  enum class Stage { fresh, started, on_stream, done };

  NcclCommunicator& owner_;
  const Operation& operation_;
  bool is_direct_in_ = false;
  bool is_direct_out_ = false;
  cudaStream_t stream_ = nullptr;
  Stage stage_ = Stage::fresh;
};

}  // namespace kantor::nccl
