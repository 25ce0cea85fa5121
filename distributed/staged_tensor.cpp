#include "distributed/staged_tensor.hpp"

#include <c10/core/DeviceGuard.h>
#include <torch/torch.h>

#include <functional>
#include <numeric>
#include <utility>

#include "distributed/device.hpp"
#include "distributed/nccl/cuda_kernels.hpp"
#include "distributed/polling.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"

namespace kantor {

namespace {

/// Who goes on without it warns of that where its kernels are missed.
bool has_cuda_library() {
  try {
    static_cast<void>(soft_min_kernels_of_library());
    return true;
  } catch (const ConfigError&) {
    return false;
  }
}

std::unique_ptr<Staging> staging_for(const std::vector<std::int64_t>& shape, at::ScalarType type,
                                     const at::Device& device) {
  if (device.is_cpu()) return nullptr;
  const std::int64_t count =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  if (!has_cuda_library()) return nullptr;
  const c10::DeviceGuard guard(device);
  return make_page_locked_staging(static_cast<std::size_t>(count) * c10::elementSize(type));
}

}  // namespace

StagedTensor::StagedTensor(std::vector<std::int64_t> shape, at::ScalarType type,
                           const at::Device& device)
    : StagedTensor(shape, type, device, staging_for(shape, type, device)) {}

StagedTensor::StagedTensor(std::vector<std::int64_t> shape, at::ScalarType type,
                           const at::Device& device, std::unique_ptr<Staging> staging)
    : shape_(std::move(shape)),
      options_(at::TensorOptions().dtype(type).device(device)),
      staging_(std::move(staging)),
      own_(staging_ ? at::Tensor() : torch::empty(shape_, options_.device(torch::kCPU))) {}

at::Tensor StagedTensor::host(Communicator& world) {
  if (!staging_) {
    if (!options_.device().is_cpu()) world.synchronize();  // sending will wait for the stream
    return own_;
  }
  const auto is_free = [this] { return staging_->is_free(); };
  world.synchronize_until(is_free);
  const double start_s = monotonic_seconds();  // what is left is work of this rank's own device
  while (!is_free()) pause_between_polls(monotonic_seconds() - start_s);
  return torch::from_blob(staging_->buffer(), shape_, options_.device(torch::kCPU));
}

at::Tensor StagedTensor::send() {
  if (!staging_) return own_.to(options_.device());
  const at::Tensor sent = torch::empty(shape_, options_);
  if (sent.numel() == 0) return sent;
  const c10::DeviceGuard guard(sent.device());
  staging_->send(sent.data_ptr(), sent.nbytes(), current_stream(sent.device()));
  return sent;
}

}  // namespace kantor
