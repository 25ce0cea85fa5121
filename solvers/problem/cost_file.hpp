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

/// The costs as points of M dimensions under this name, for checks that marginals have.
data::Marginal costs_as_points(const Problem& problem, const std::string& name);

}  // namespace kantor
