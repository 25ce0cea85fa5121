#pragma once

// The part of CUDA that kernel bodies may use, under names of ours: block and thread indices,
// barriers, shuffles, fast functions. Everything else in a body is plain C++, so that the same text
// is compiled by nvcc and, for tests, by the host's compiler, where tests/support/gpu_emulation
// stands for the card. A body runs with kBlockThreads threads; its shared memory is handed to it.

#include <cmath>

#ifdef __CUDACC__
#define KANTOR_DEVICE __device__ __forceinline__
#define KANTOR_HOST_DEVICE __host__ __device__
#define KANTOR_UNROLL _Pragma("unroll")
#define KANTOR_UNROLL_FOUR _Pragma("unroll 4")
#define KANTOR_NO_UNROLL _Pragma("unroll 1")
#else
#define KANTOR_DEVICE inline
#define KANTOR_HOST_DEVICE
#define KANTOR_UNROLL
#define KANTOR_UNROLL_FOUR
#define KANTOR_NO_UNROLL
#endif

namespace kantor::gpu {

constexpr int kBlockThreads = 128;
constexpr int kWarpThreads = 32;

#ifdef __CUDACC__

KANTOR_DEVICE int thread_index() { return static_cast<int>(threadIdx.x); }
KANTOR_DEVICE int block_x() { return static_cast<int>(blockIdx.x); }
KANTOR_DEVICE int block_y() { return static_cast<int>(blockIdx.y); }
KANTOR_DEVICE void sync_threads() { __syncthreads(); }
/// The value of the lane whose number differs in the bits of `mask`; all lanes of a warp call it.
template <class T>
KANTOR_DEVICE T shuffle_xor(T value, int mask) {
  return __shfl_xor_sync(0xffffffffu, value, mask);
}

// With -ftz=true -prec-sqrt=false: one instruction of the special function unit each.
KANTOR_DEVICE float fast_exp2(float x) { return exp2f(x); }
KANTOR_DEVICE float fast_log2(float x) { return __log2f(x); }
KANTOR_DEVICE float fast_sqrt(float x) { return sqrtf(x); }
KANTOR_DEVICE double fast_exp2(double x) { return ::exp2(x); }
KANTOR_DEVICE double fast_log2(double x) { return ::log2(x); }
KANTOR_DEVICE double fast_sqrt(double x) { return ::sqrt(x); }
KANTOR_DEVICE float fused(float a, float b, float c) { return ::fmaf(a, b, c); }
KANTOR_DEVICE double fused(double a, double b, double c) { return ::fma(a, b, c); }

#else

// Place and exchanges of the emulated thread that runs now.
int thread_index();
int block_x();
int block_y();
void sync_threads();
double shuffle_xor(double value, int mask);
inline float shuffle_xor(float value, int mask) {
  return static_cast<float>(shuffle_xor(static_cast<double>(value), mask));
}

/// Errs by what the special function unit may err by (ex2.approx, lg2.approx: 2^-22).
float fast_exp2(float x);
float fast_log2(float x);
inline float fast_sqrt(float x) { return std::sqrt(x); }
inline double fast_exp2(double x) { return std::exp2(x); }
inline double fast_log2(double x) { return std::log2(x); }
inline double fast_sqrt(double x) { return std::sqrt(x); }
/// Rounds twice: slower machines than a GPU call a library for less.
template <class T>
T fused(T a, T b, T c) {
  return a * b + c;
}

#endif

KANTOR_DEVICE float round_up(float x) { return ::ceilf(x); }
KANTOR_DEVICE double round_up(double x) { return ::ceil(x); }
KANTOR_DEVICE float magnitude(float x) { return ::fabsf(x); }
KANTOR_DEVICE double magnitude(double x) { return ::fabs(x); }
/// The larger one; of a number and NaN the number.
KANTOR_DEVICE float larger(float a, float b) { return ::fmaxf(a, b); }
KANTOR_DEVICE double larger(double a, double b) { return ::fmax(a, b); }

/// Four neighbours in memory: one or two loads of 16 bytes.
template <class T>
struct alignas(16) Four {
  T of[4];
};
template <class T>
KANTOR_DEVICE const Four<T>& four_at(const T* place) {
  return *reinterpret_cast<const Four<T>*>(place);
}

}  // namespace kantor::gpu
