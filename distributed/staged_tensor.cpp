#include "distributed/staged_tensor.hpp"

#include <c10/core/DeviceGuard.h>
#include <torch/torch.h>

#include <functional>
#include <numeric>
#include <utility>

#include "distributed/device.hpp"
#include "distributed/polling.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"

namespace kantor {

namespace {

std::unique_ptr<Staging> staging_for(const std::vector<std::int64_t>& shape, at::ScalarType type,
                                     const at::Device& device) {
  if (device.is_cpu()) return nullptr;
  const std::int64_t count =
      std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
  const c10::DeviceGuard guard(device);
  try {
    return make_page_locked_staging(static_cast<std::size_t>(count) * c10::elementSize(type));
  } catch (const ConfigError&) {
    return nullptr;  // if for lack of the library, device_soft_min() warns of it
  }
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
  if (!staging_) return own_;
  const auto is_free = [this] { return staging_->is_free(); };
  world.settle_until(is_free);
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
