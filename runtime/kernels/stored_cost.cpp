#include <algorithm>
#include <numbers>

#include "runtime/core/error.hpp"
#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/soft_min_pass.hpp"

namespace kantor::kernels {

template <class T>
StoredCost<T>::StoredCost(const CostMatrix<T>& source, ThreadPool& pool)
    : CostMatrix<T>(source.num_rows(), source.num_columns()),
      made_(source.num_rows() * source.num_columns()),
      values_(made_.data()) {
  const std::int64_t m = source.num_columns();
  const Pass<T> pass = Pass<T>::of_costs(source, pool);
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      pass.make_costs(first_row, count, workspace, made_.data() + first_row * m);
    });
  });
}

template <class T>
StoredCost<T>::StoredCost(std::vector<T> values, std::int64_t num_rows, std::int64_t num_columns)
    : CostMatrix<T>(num_rows, num_columns), given_(std::move(values)), values_(given_.data()) {
  if (num_rows < 0 || num_columns < 0 ||
      given_.size() != static_cast<std::size_t>(num_rows) * static_cast<std::size_t>(num_columns)) {
    throw ShapeError(concat("stored cost matrix: ", given_.size(), " values for ", num_rows,
                            " rows of ", num_columns, " columns; expected rows times columns"));
  }
}

template <class T>
RowOperand<T> StoredCost<T>::rows(std::int64_t first_row, std::int64_t count, double epsilon,
                                  Workspace::Frame& /*frame*/, double* row_parts) const {
  std::fill_n(row_parts, count, 0.0);
  return {.costs = values_ + first_row * this->num_columns(),
          .stride = this->num_columns(),
          .scale = static_cast<T>(std::numbers::log2e / epsilon)};
}

template <class T>
void StoredCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  const std::int64_t m = this->num_columns();
  std::copy_n(values_ + first_row * m, count * m, tile);
}

template class StoredCost<float>;
template class StoredCost<double>;

}  // namespace kantor::kernels
