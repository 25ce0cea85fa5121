#include "distributed/device.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/torch.h>

#include "runtime/core/error.hpp"

namespace kantor {

namespace {

/// LibTorch's CUDA part registers itself when it is loaded; nothing before has asked for it.
void load_cuda() {
  static const bool is_loaded = [] {
    if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr) return true;
    const char* reason = dlerror();
    throw ConfigError(concat("run.device = \"cuda\" cannot load LibTorch's CUDA libraries (",
                             reason == nullptr ? "no reason given" : reason,
                             "); run launch/bootstrap.sh --gpu, or use run.device = \"cpu\""));
  }();
  static_cast<void>(is_loaded);
}

}  // namespace

at::Device device_of(const RunConfig& run, const Communicator& world) {
  if (run.device != "cuda") return torch::kCPU;
  load_cuda();
  const auto num_devices = torch::cuda::is_available() ? torch::cuda::device_count() : 0;
  if (num_devices == 0) {
    throw ConfigError(
        "run.device = \"cuda\" finds no usable GPU (no driver, or none visible); use run.device = "
        "\"cpu\"");
  }
  const auto number = static_cast<std::size_t>(world.local_rank()) % num_devices;
  return {torch::kCUDA, static_cast<at::DeviceIndex>(number)};
}

void* current_stream(const at::Device& device) {
  if (device.is_cpu()) return nullptr;
  const c10::impl::VirtualGuardImpl guard(device.type());
  return guard.getStreamNativeHandle(guard.getStream(device));
}

}  // namespace kantor
