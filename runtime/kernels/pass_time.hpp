#pragma once

// How long a pass over the pairs takes, found from some of its row blocks.
// Shapes: N rows, M columns.

#include "runtime/kernels/soft_min.hpp"

namespace kantor::kernels {

/// Of soft_min_weights.
struct PassTime {
  double columns_s = 0;  ///< what is done once for the columns
  double block_s = 0;    ///< of one thread, with all of them at work
  std::int64_t rows_per_block = 1;

  /// Of a pass over so many rows.
  double seconds(std::int64_t num_rows, int threads) const;
};

/// Every thread works on blocks of its own for about `each_s`, two at least, of which the first
/// does not count: it brings memory and caches in.
/// @throws as soft_min_weights. Results go nowhere.
template <class T>
PassTime time_weights(const Reduction<T>& reduction, ThreadPool& pool, double each_s);

}  // namespace kantor::kernels
