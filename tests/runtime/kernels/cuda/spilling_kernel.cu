// More numbers at once than a thread has registers: must not compile with the options of our
// kernels.

__global__ void __launch_bounds__(1024, 2) spill(const float* from, float* to) {
  float numbers[64];
#pragma unroll
  for (int k = 0; k < 64; ++k) numbers[k] = from[threadIdx.x * 64 + k];
  __syncthreads();
#pragma unroll
  for (int k = 0; k < 64; ++k) to[threadIdx.x * 64 + k] = numbers[63 - k] * numbers[k];
}
