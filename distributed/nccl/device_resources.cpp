#include "distributed/nccl/device_resources.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "distributed/nccl/device_calls.hpp"

namespace kantor::nccl {
namespace {

constexpr std::size_t kSmallestScratch = 64 * 1024;

}  // namespace

void Scratch::reserve(std::size_t bytes) {
  if (bytes <= bytes_) return;
  close();
  const std::size_t wanted = std::max(bytes, kSmallestScratch);
  check(cudaMalloc(&device_, wanted), "cudaMalloc");
  check_set(device_, "cudaMalloc");
  check(cudaHostAlloc(&host_, wanted, cudaHostAllocDefault), "cudaHostAlloc");
  check_set(host_, "cudaHostAlloc");
  bytes_ = wanted;
}

void Scratch::close() {
  bytes_ = 0;
  if (device_ != nullptr) check(cudaFree(std::exchange(device_, nullptr)), "cudaFree");
  if (host_ != nullptr) check(cudaFreeHost(std::exchange(host_, nullptr)), "cudaFreeHost");
}

void Scratch::upload(const void* buffer, std::size_t bytes, cudaStream_t stream) {
  reserve(bytes);
  std::memcpy(host_, buffer, bytes);
  check(cudaMemcpyAsync(device_, host_, bytes, cudaMemcpyHostToDevice, stream), "cudaMemcpyAsync");
}

void Scratch::download(const void* from_device, std::size_t bytes, cudaStream_t stream) {
  check(cudaMemcpyAsync(host_, from_device, bytes, cudaMemcpyDeviceToHost, stream),
        "cudaMemcpyAsync");
}

void Resources::open() {
  int least = 0;
  int greatest = 0;
  check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "cudaDeviceGetStreamPriorityRange");
  check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, greatest),
        "cudaStreamCreateWithPriority");
  check_set(stream, "cudaStreamCreateWithPriority");
  check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), "cudaEventCreateWithFlags");
  check_set(event, "cudaEventCreateWithFlags");
}

void Resources::close() {
  out.close();
  in.close();
  check(cudaEventDestroy(std::exchange(event, nullptr)), "cudaEventDestroy");
  check(cudaStreamDestroy(std::exchange(stream, nullptr)), "cudaStreamDestroy");
}

}  // namespace kantor::nccl
