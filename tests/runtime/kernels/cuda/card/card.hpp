#pragma once

// What the check of a card shares: device memory, calls of the kernels, and the card itself.

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "runtime/kernels/cuda/device_soft_min.hpp"

namespace kantor::card {

/// Ends the program unless it is cudaSuccess: after that nothing on the card can be believed.
inline void require(cudaError_t code, const char* call) {
  if (code == cudaSuccess) return;
  std::printf("FAIL %s: %s\n", call, cudaGetErrorString(code));
  std::exit(70);
}
#define KANTOR_CARD(call) ::kantor::card::require((call), #call)

/// Device memory; what is not filled is NaN.
template <class T>
class Buffer {
 public:
  explicit Buffer(std::size_t size) : size_(size) {
    KANTOR_CARD(cudaMalloc(&data_, std::max<std::size_t>(size, 1) * sizeof(T)));
    KANTOR_CARD(cudaMemset(data_, 0xff, size * sizeof(T)));
  }
  /// Rounded to T.
  explicit Buffer(const std::vector<double>& values) : Buffer(values.size()) {
    const std::vector<T> rounded(values.begin(), values.end());
    KANTOR_CARD(cudaMemcpy(data_, rounded.data(), size_ * sizeof(T), cudaMemcpyHostToDevice));
  }
  ~Buffer() { static_cast<void>(cudaFree(data_)); }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;

  T* get() const { return data_; }
  std::vector<T> values() const {
    std::vector<T> result(size_);
    KANTOR_CARD(cudaMemcpy(result.data(), data_, size_ * sizeof(T), cudaMemcpyDeviceToHost));
    return result;
  }

 private:
  T* data_ = nullptr;
  std::size_t size_;
};

inline void enqueue(const cuda::SoftMinCall& call, void* scratch, cudaStream_t stream) {
  const char* problem = cuda::soft_min_kernels().enqueue(call, scratch, stream);
  if (problem == nullptr) return;
  std::printf("FAIL a launch is refused: %s\n", problem);
  std::exit(70);
}

inline void run(const cuda::SoftMinCall& call) {
  const Buffer<char> scratch(cuda::soft_min_kernels().scratch_bytes(call));
  enqueue(call, scratch.get(), nullptr);
  KANTOR_CARD(cudaDeviceSynchronize());
}

/// [count], standard normal times `scale` plus `shift`; the same on every machine.
std::vector<double> normal(std::size_t count, double scale, double shift, unsigned seed);

/// @return whether all is right. Each prints a line for what it finds wrong, and a summary.
bool check_values(bool is_short);
bool check_bits();
/// Milliseconds beside the card's floor. @param num_pairs_at_most leaves larger problems out.
void print_speed(double num_pairs_at_most);
/// A few calls alone, for a profiler.
void call_alone(std::int64_t d, bool has_kept_sums);

}  // namespace kantor::card
