#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "runtime/random/permutation.hpp"

namespace kantor::random {

/// Draws without end: pass after pass over n rows, each pass in its own order. Draw t is a function
/// of (seed, marginal, t) alone, so neither the number of ranks nor a restart changes the data
/// order.
class Sampler {
 public:
  /// @param num_heldout rows kept out of the draws: a fixed, seeded set of that size.
  Sampler(std::int64_t n, std::int64_t num_heldout, std::uint64_t seed, std::uint32_t marginal);

  /// @param draw global number: step * batch + position in the batch.
  /// @return a row in [0, n).
  std::int64_t row(std::int64_t draw);
  /// The rows of draws first, first + 1, ..: one for each place of `rows`.
  void rows(std::int64_t first, std::span<std::int64_t> rows);
  /// The held-out rows, ascending.
  std::vector<std::int64_t> heldout_rows() const;

 private:
  const Permutation& order_of(std::int64_t epoch);

  std::int64_t num_drawn_;  ///< rows that take part
  std::uint64_t seed_;
  std::uint32_t marginal_;
  Permutation roles_;  ///< places below num_drawn_ take part, the others are held out
  bool has_heldout_;
  std::int64_t epoch_ = -1;
  std::optional<Permutation> order_;  ///< of the current pass
};

}  // namespace kantor::random
