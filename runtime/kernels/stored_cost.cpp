#include <algorithm>
#include <numbers>

#include "runtime/core/error.hpp"
#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/prepared_reduction.hpp"

namespace kantor::kernels {

template <class T>
StoredCost<T>::StoredCost(const CostMatrix<T>& source, ThreadPool& pool)
    : CostMatrix<T>(source.num_rows(), source.num_columns()),
      made_(source.num_rows() * source.num_columns()),
      values_(made_.data()) {
  const std::int64_t m = source.num_columns();
  const PreparedReduction<T> pass = PreparedReduction<T>::of_costs(source, pool);
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      pass.make_costs(first_row, count, workspace, made_.data() + first_row * m);
    });
  });
}

template <class T>
SplitCosts<T> SplitCosts<T>::transposed() const {
  SplitCosts<T> result{column_parts, row_parts, std::vector<T>(rest.size())};
  for (std::size_t i = 0; i < row_parts.size(); ++i) {
    for (std::size_t j = 0; j < column_parts.size(); ++j) {
      result.rest[j * row_parts.size() + i] = rest[i * column_parts.size() + j];
    }
  }
  return result;
}

template <class T>
StoredCost<T>::StoredCost(SplitCosts<T> given)
    : CostMatrix<T>(std::ssize(given.row_parts), std::ssize(given.column_parts)),
      given_(std::move(given)),
      values_(given_.rest.data()) {
  if (given_.rest.size() != given_.row_parts.size() * given_.column_parts.size()) {
    throw ShapeError(concat("stored cost matrix: ", given_.rest.size(), " values for ",
                            given_.row_parts.size(), " rows of ", given_.column_parts.size(),
                            " columns; expected rows times columns"));
  }
}

template <class T>
void StoredCost<T>::prepare_columns(std::int64_t first_column, std::int64_t count,
                                    double* column_parts, T* points) const {
  if (given_.column_parts.empty()) {
    CostMatrix<T>::prepare_columns(first_column, count, column_parts, points);
  } else {
    std::copy_n(given_.column_parts.data() + first_column, count, column_parts);
  }
}

template <class T>
RowOperand<T> StoredCost<T>::rows(std::int64_t first_row, std::int64_t count, double epsilon,
                                  Workspace::Frame& /*frame*/, double* row_parts) const {
  if (given_.row_parts.empty()) {
    std::fill_n(row_parts, count, 0.0);
  } else {
    std::copy_n(given_.row_parts.data() + first_row, count, row_parts);
  }
  return {.costs = values_ + first_row * this->num_columns(),
          .stride = this->num_columns(),
          .scale = static_cast<T>(std::numbers::log2e / epsilon)};
}

template <class T>
void StoredCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  const std::int64_t m = this->num_columns();
  std::copy_n(values_ + first_row * m, count * m, tile);
  if (given_.row_parts.empty()) return;
  for (std::int64_t r = 0; r < count; ++r) {
    const double part = given_.row_parts[at(first_row + r)];
    for (std::int64_t j = 0; j < m; ++j) {
      T& cost = tile[r * m + j];
      cost = static_cast<T>(part + given_.column_parts[at(j)] + static_cast<double>(cost));
    }
  }
}

template struct SplitCosts<float>;
template struct SplitCosts<double>;
template class StoredCost<float>;
template class StoredCost<double>;

}  // namespace kantor::kernels
