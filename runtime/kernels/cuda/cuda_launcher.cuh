#pragma once

// Launches of kernel bodies on a stream.

#include "runtime/kernels/cuda/soft_min_launches.hpp"

namespace kantor::cuda {

template <class Body>
__global__ void __launch_bounds__(gpu::kBlockThreads, Body::kBlocksAtOnce)
    run_body(const __grid_constant__ typename Body::Arguments arguments) {
  extern __shared__ __align__(16) unsigned char shared[];
  Body::run(arguments, shared);
}

class CudaLauncher {
 public:
  explicit CudaLauncher(void* stream) : stream_(static_cast<cudaStream_t>(stream)) {}

  template <class Body>
  void launch(Grid grid, std::size_t shared_bytes, const typename Body::Arguments& arguments) {
    if (error_ != cudaSuccess) return;
    void* parameters[] = {const_cast<typename Body::Arguments*>(&arguments)};
    error_ = cudaLaunchKernel(run_body<Body>, dim3(grid.x, grid.y), dim3(gpu::kBlockThreads),
                              parameters, shared_bytes, stream_);
    // It is remembered, and LibTorch, which then does the work, would trip over it.
    if (error_ != cudaSuccess) static_cast<void>(cudaGetLastError());
  }

  /// Null, or what went wrong first.
  const char* problem() const {
    return error_ == cudaSuccess ? nullptr : cudaGetErrorString(error_);
  }

 private:
  cudaStream_t stream_;
  cudaError_t error_ = cudaSuccess;
};

}  // namespace kantor::cuda
