#pragma once

// The kernels of this process: right, and how fast.

#include "launch/doctor/check.hpp"
#include "runtime/core/thread_pool.hpp"

namespace kantor::launch {

/// A float32 product of 512 x 512 matrices on one thread, repeated for a fifth of a second.
Check check_gemm();
/// @param gflops 1e9 operations a second.
Check judge_gemm(double gflops);

/// Soft minima over 1024 x 1024 pairs in 32 dimensions on the threads of the pool, as long.
Check check_soft_min_speed(ThreadPool& pool);

/// The vectorised soft minimum against the double-precision reference, every cost, both types.
Check check_soft_min_values(ThreadPool& pool);
/// @param errors of float32 and float64, in units of what rounding may cause.
Check judge_soft_min(double float32_error, double float64_error);

}  // namespace kantor::launch
