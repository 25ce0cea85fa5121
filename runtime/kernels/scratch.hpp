#pragma once

// What the calls of soft_min.hpp and absorbed/absorbed_kernel.hpp take from the pool's workspaces.
// Shapes: N rows, M columns, D dimensions.

#include <algorithm>
#include <cstdint>

#include "runtime/kernels/absorbed/unit_code.hpp"
#include "runtime/kernels/cost_matrix.hpp"

namespace kantor::kernels {

/// N x M pairs, costs made from points of D dimensions, or stored.
struct PassShape {
  std::int64_t rows = 0;
  std::int64_t columns = 0;
  std::int64_t d = 0;
  CostKind cost = CostKind::sqeuclidean;
  bool is_stored = false;
};

/// Bytes; they stay there.
struct Scratch {
  std::int64_t shared = 0;  ///< with the calling thread, beside its own
  std::int64_t each = 0;    ///< with each thread that works
  std::int64_t threads = 0;

  std::int64_t bytes() const { return shared + threads * each; }
};
/// Scratch that serves two calls, one after the other.
inline Scratch largest(const Scratch& a, const Scratch& b) {
  const std::int64_t each = std::max(a.each, b.each);
  const std::int64_t first = std::max(a.shared + a.each, b.shared + b.each);
  return {first - each, each, std::max(a.threads, b.threads)};
}

/// soft_min_weights, of so many updates at once.
template <class T>
Scratch weights_scratch(const PassShape& shape, int threads, std::int64_t num_updates = 1);
template <class T>
Scratch soft_min_scratch(const PassShape& shape, int threads);  ///< soft_min
template <class T>
Scratch store_scratch(const PassShape& shape, int threads);  ///< StoredCost of made costs
template <class T>
Scratch totals_scratch(const PassShape& shape, int threads);  ///< rounded_plan_totals
template <class T>
Scratch absorbed_scratch(const PassShape& shape, int threads,
                         KernelFormat format);  ///< AbsorbedKernel, both calls

}  // namespace kantor::kernels
