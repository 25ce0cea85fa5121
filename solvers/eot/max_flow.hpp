#pragma once

// Mass that rows lack, brought to columns that lack it, where only some pairs may carry any.
// Shapes: N rows, M columns.

#include <cstdint>
#include <vector>

namespace kantor {

/// A pair of a plan that may carry any mass >= 0.
struct CarriedMass {
  std::int64_t row;
  std::int64_t column;
  double mass;
};

/// Maximum flow from rows to columns: forth by more mass on a pair, back by less of what is there.
/// Pairs of the plan that were not added keep what they carry. Sums, differences and comparisons
/// alone: the same input gives the same bits on every rank.
/// Source: Dinic 1970, shortest augmenting paths of one length at a time, here of large masses
/// first.
class MaxFlow {
 public:
  /// @param rows [N], columns [M] mass lacked. @param dust no mass up to it is moved.
  MaxFlow(std::vector<double> rows, std::vector<double> columns, double dust);

  void add(const CarriedMass& pair);
  /// Brings over what can be. @return whether it came to an end in 10^9 steps, all calls together.
  bool augment();

  double left() const;  ///< what rows or columns lack still, the smaller
  /// Whether a row or column can get rid of mass that rows still lack: together they are a minimum
  /// cut of the pairs that were added. Known after augment().
  bool is_row_reached(std::int64_t i) const { return level_[node_of_row(i)] >= 0; }
  bool is_column_reached(std::int64_t j) const { return level_[node_of_column(j)] >= 0; }
  const std::vector<CarriedMass>& pairs() const { return pairs_; }

 private:
  static constexpr std::int64_t kMostSteps = 1'000'000'000;
  std::size_t node_of_row(std::int64_t i) const { return static_cast<std::size_t>(i); }
  std::size_t node_of_column(std::int64_t j) const {
    return num_rows_ + static_cast<std::size_t>(j);
  }
  bool is_row(std::size_t node) const { return node < num_rows_; }
  std::size_t other_end(std::size_t pair, std::size_t node) const;
  bool can_carry(std::size_t pair, std::size_t from) const;
  bool find_levels();
  void push_from(std::size_t row);
  void move(std::size_t row, std::size_t column, const std::vector<std::size_t>& path);

  std::size_t num_rows_;
  std::vector<double> lacked_;  ///< [N + M]
  double dust_;
  std::int64_t num_steps_ = 0;
  std::vector<CarriedMass> pairs_;
  std::vector<std::vector<std::size_t>> pairs_of_;  ///< [N + M]
  std::vector<std::int64_t> level_;                 ///< [N + M] steps from rows that lack; -1: none
  std::vector<std::size_t> next_;                   ///< [N + M] the pair to be tried
};

}  // namespace kantor
