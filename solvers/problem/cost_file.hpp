#pragma once

// problem.cost = "matrix": the costs come from a file, and marginals are weights without points.
// Shapes: N rows, M columns.

#include "solvers/problem/problem.hpp"

namespace kantor {

/// Maps the file and makes marginals of its shape, whose points are their own indices (D = 1).
/// @throws DataError: no .npy of two dimensions, weights or n of another length.
void load_cost_file(const ProblemConfig& config, Problem& problem);

/// The rows of the file that one rank needs, and of these the columns that it asks for.
/// @param rows, columns indices, ascending. @param[out] values [rows, columns] row-major.
template <class T>
void read_costs(const Problem& problem, std::span<const std::int64_t> rows,
                std::span<const std::int64_t> columns, T* values);

/// Scans this rank's share. An infinite cost forbids its pair. Collective.
/// @param name of the file. @return whether any pair is forbidden.
/// @throws DataError (on all ranks): NaN, -inf, a point that may go to no point of any weight.
bool check_costs(const Problem& problem, const std::string& name, Communicator& world);

}  // namespace kantor
