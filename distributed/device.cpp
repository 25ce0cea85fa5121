#include "distributed/device.hpp"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <dlfcn.h>
#include <torch/torch.h>

#include "distributed/nccl/cuda_facts.hpp"
#include "distributed/shared_gpus.hpp"
#include "runtime/core/error.hpp"

namespace kantor {

namespace {

/// LibTorch's libraries have an RPATH, which goes before LD_LIBRARY_PATH; ours has not. Whoever is
/// loaded first decides which CUDA runtime and NCCL the process has.
void load_own_library_first() {
  try {
    load_cuda_library();
  } catch (const ConfigError&) {  // whoever needs it says so
  }
}

/// LibTorch's CUDA part registers itself when it is loaded; nothing before has asked for it.
void load_cuda() {
  static const bool is_loaded = [] {
    load_own_library_first();
    if (c10::impl::hasDeviceGuardImpl(torch::kCUDA)) return true;
    if (dlopen("libtorch_cuda.so", RTLD_NOW | RTLD_GLOBAL) != nullptr) return true;
    const char* reason = dlerror();
    throw ConfigError(concat("run.device = \"cuda\" cannot load LibTorch's CUDA libraries (",
                             reason == nullptr ? "no reason given" : reason,
                             "); run launch/bootstrap.sh --gpu, or use run.device = \"cpu\""));
  }();
  static_cast<void>(is_loaded);
}

/// float32 is float32: TORCH_ALLOW_TF32_CUBLAS_OVERRIDE, which containers set, would have products
/// rounded to 10 bits.
void ask_for_all_bits() {
  static const bool is_asked_for = [] {
    at::globalContext().setFloat32MatmulPrecision("highest");
    return true;
  }();
  static_cast<void>(is_asked_for);
}

}  // namespace

at::Device device_of(const RunConfig& run, const Communicator& world) {
  if (run.device != "cuda") return torch::kCPU;
  load_cuda();
  ask_for_all_bits();
  const c10::impl::VirtualGuardImpl cuda(torch::kCUDA);
  const int num_devices = cuda.deviceCount();
  if (num_devices == 0) {
    throw ConfigError(
        "run.device = \"cuda\" finds no usable GPU (no driver, or none visible); use run.device = "
        "\"cpu\"");
  }
  const at::Device device(torch::kCUDA,
                          static_cast<at::DeviceIndex>(gpu_number(world, num_devices)));
  cuda.setDevice(device);
  return device;
}

void* current_stream(const at::Device& device) {
  if (device.is_cpu()) return nullptr;
  const c10::impl::VirtualGuardImpl guard(device.type());
  return guard.getStreamNativeHandle(guard.getStream(device));
}

}  // namespace kantor
