#include "launch/torch_setup.hpp"

#include <ATen/Parallel.h>
#include <ATen/Version.h>
#include <malloc.h>
#include <torch/version.h>

#include "distributed/device.hpp"

namespace kantor::launch {

namespace {

/// A step frees tensors of some hundred kilobytes and asks for them again at once. glibc would hand
/// the pages back in between, and have each touched page zeroed anew: a fifth of a step's time.
void keep_freed_pages() {
  constexpr int kKept = 32 << 20;  // glibc's own upper bound for both
  mallopt(M_MMAP_THRESHOLD, kKept);
  mallopt(M_TRIM_THRESHOLD, 2 * kKept);
}

}  // namespace

void set_up_torch() {
  keep_freed_pages();
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

std::string torch_instruction_set() { return at::get_cpu_capability(); }

}  // namespace kantor::launch
