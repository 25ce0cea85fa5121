#include <algorithm>

#include "runtime/core/error.hpp"
#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/cost_policies.hpp"
#include "runtime/kernels/panels.hpp"

namespace kantor::kernels {

template <class T>
StoredCost<T>::StoredCost(const CostMatrix<T>& source, ThreadPool& pool)
    : CostMatrix<T>(source.num_rows(), source.num_columns()),
      values_(static_cast<std::size_t>(source.num_rows() * source.num_columns())) {
  const std::int64_t m = source.num_columns();
  const Panels panels = cut_rows(source.num_rows(), m, sizeof(T));
  pool.for_each(panels.num_lanes, [&](std::int64_t lane) {
    panels.for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      source.costs(first_row, count, values_.data() + first_row * m);
    });
  });
}

template <class T>
StoredCost<T>::StoredCost(std::vector<T> values, std::int64_t num_rows, std::int64_t num_columns)
    : CostMatrix<T>(num_rows, num_columns), values_(std::move(values)) {
  if (num_rows < 0 || num_columns < 0 ||
      values_.size() !=
          static_cast<std::size_t>(num_rows) * static_cast<std::size_t>(num_columns)) {
    throw ShapeError(concat("stored cost matrix: ", values_.size(), " values for ", num_rows,
                            " rows of ", num_columns, " columns; expected rows times columns"));
  }
}

template <class T>
void StoredCost<T>::logits(std::int64_t first_row, std::int64_t count, const T* bias,
                           double epsilon, T* logits, double* row_shifts) const {
  const std::int64_t m = this->num_columns();
  const auto& kernels = vector_kernels<T>();
  const T scale = static_cast<T>(1 / epsilon);
  for (std::int64_t r = 0; r < count; ++r) {
    kernels.stored_logits(bias, values_.data() + (first_row + r) * m, scale, m, logits + r * m);
    row_shifts[r] = 0;
  }
}

template <class T>
double StoredCost<T>::column_bias(std::span<const double> log_b, std::span<const double> g,
                                  double epsilon, std::span<T> bias) const {
  return shifted_bias<T>(log_b, g, {}, epsilon, bias);
}

template <class T>
void StoredCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  const std::int64_t m = this->num_columns();
  std::copy_n(values_.data() + first_row * m, count * m, tile);
}

template class StoredCost<float>;
template class StoredCost<double>;

}  // namespace kantor::kernels
