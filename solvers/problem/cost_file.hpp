#pragma once

// problem.cost = "matrix": the costs come from a file, and marginals are weights without points.
// Shapes: N rows, M columns.

#include "solvers/problem/problem.hpp"

namespace kantor {

/// Maps the file and makes marginals of its shape, whose points are their own indices (D = 1).
/// @param[out] cost its file.
/// @throws DataError: no .npy of two dimensions, weights or n of another length.
std::vector<data::Marginal> load_cost_file(const ProblemConfig& config, GroundCost& cost);

/// One of the costs.
double cost_at(const data::RowSource& file, std::int64_t row, std::int64_t column);

/// The rows of the file that this rank needs, and of these the columns that all ask for. Of each
/// row its least cost is taken off, then of each column the least of what is left, over all ranks,
/// in double: what every pair of a row or column costs takes no digits from the rest, which is
/// small where a plan has its mass. Collective.
/// @param rows, columns indices, ascending.
template <class T>
kernels::SplitCosts<T> split_costs(const data::RowSource& file, std::span<const std::int64_t> rows,
                                   std::span<const std::int64_t> columns, Communicator& world);

/// Scans this rank's share. An infinite cost forbids its pair. Collective.
/// @param name of the file. @return whether any pair is forbidden.
/// @throws DataError (on all ranks): NaN, -inf, a point that may go to no point of any weight.
bool check_costs(const data::RowSource& file, const data::Marginal& x, const data::Marginal& y,
                 const std::string& name, Communicator& world);

}  // namespace kantor
