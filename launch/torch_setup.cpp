#include "launch/torch_setup.hpp"

#include <ATen/Parallel.h>
#include <torch/version.h>

namespace kantor::launch {

void set_up_torch() {
  set_up_torch_thread();
  at::set_num_interop_threads(1);
}

void set_up_torch_thread() { at::set_num_threads(1); }

std::string torch_version() { return TORCH_VERSION; }

}  // namespace kantor::launch
