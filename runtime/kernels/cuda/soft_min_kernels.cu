// The table of the kernels, and those for float; double has a file of its own to compile beside.

#include "runtime/kernels/cuda/cuda_launcher.cuh"

namespace kantor::cuda {

const char* enqueue_double(const SoftMinCall& call, void* scratch, void* stream);

namespace {

const char* enqueue(const SoftMinCall& call, void* scratch, void* stream) {
  if (call.is_double) return enqueue_double(call, scratch, stream);
  CudaLauncher launcher(stream);
  launch_soft_min<float>(call, scratch, launcher);
  return launcher.problem();
}

}  // namespace

const SoftMinKernels& soft_min_kernels() {
  static const SoftMinKernels table = {[](const SoftMinCall& call) { return scratch_bytes(call); },
                                       &enqueue};
  return table;
}

}  // namespace kantor::cuda
