#pragma once

#include <cstdint>
#include <span>

namespace kantor::data {

/// gram += sum_i weights_i x_i x_i^T, by blocks of rows through the BLAS.
/// @param rows    [count, D] row-major.
/// @param weights [count], >= 0, or empty for ones.
/// @param[in,out] gram [D, D].
void add_gram(std::span<const double> rows, std::int64_t count, std::int64_t d,
              std::span<const double> weights, std::span<double> gram);

}  // namespace kantor::data
