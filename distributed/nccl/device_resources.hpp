#pragma once

// What the back end holds on the GPU. Nothing here frees itself: after a failure the driver may
// hang in any call, so everything is left to the end of the process. close() is for the good path.

#include <cuda_runtime_api.h>

#include <cstddef>

namespace kantor::nccl {

/// Device memory, and page-locked host memory of the same size through which host buffers come and
/// go. Grows, never shrinks.
class Scratch {
 public:
  /// @throws DeviceFault.
  void reserve(std::size_t bytes);
  void close();

  void* device() const { return device_; }
  std::byte* host() const { return static_cast<std::byte*>(host_); }

  /// Copies a host buffer in, on the stream. The buffer may be reused at once.
  void upload(const void* buffer, std::size_t bytes, cudaStream_t stream);
  /// Copies into host(), on the stream.
  void download(const void* from_device, std::size_t bytes, cudaStream_t stream);

 private:
  void* device_ = nullptr;
  void* host_ = nullptr;
  std::size_t bytes_ = 0;
};

/// A stream of our own that waits for no other, an event to be polled, and scratch for what goes
/// out and what comes in.
struct Resources {
  cudaStream_t stream = nullptr;
  cudaEvent_t event = nullptr;
  Scratch out;
  Scratch in;

  /// @throws DeviceFault.
  void open();
  void close();
};

}  // namespace kantor::nccl
