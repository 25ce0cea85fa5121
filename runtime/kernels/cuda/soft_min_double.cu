#include "runtime/kernels/cuda/cuda_launcher.cuh"

namespace kantor::cuda {

const char* enqueue_double(const SoftMinCall& call, void* scratch, void* stream) {
  CudaLauncher launcher(stream);
  launch_soft_min<double>(call, scratch, launcher);
  return launcher.problem();
}

}  // namespace kantor::cuda
