#include "launch/torch_setup.hpp"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include "distributed/device.hpp"

namespace kantor::launch {

void set_up_torch() {
  set_up_torch_thread();
  at::set_num_interop_threads(1);
}

void set_up_torch_thread() { at::set_num_threads(1); }

std::function<void*()> device_stream(const RunConfig& run, const Communicator& world) {
  const at::Device device = device_of(run, world);
  if (device.is_cpu()) return {};
  return [device] { return current_stream(device); };
}

std::string torch_version() { return TORCH_VERSION; }

}  // namespace kantor::launch
