#include "runtime/kernels/soft_min_pass.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/error.hpp"

namespace kantor::kernels {
namespace {
constexpr double kInfinity = std::numeric_limits<double>::infinity();
}

void check_size(const char* what, std::size_t size, std::int64_t expected) {
  if (size != at(expected)) {
    throw ShapeError(concat("soft-min reduction: ", what, " has ", size, " numbers, expected ",
                            expected, " by the shape of the cost matrix"));
  }
}

template <class T>
Pass<T>::Pass(const Reduction<T>& reduction)
    : cost_(reduction.cost),
      epsilon_(reduction.epsilon),
      panels_(cut_rows(cost_.num_rows(), cost_.num_columns(), sizeof(T))),
      kernels_(vector_kernels<T>()),
      bias_(at(cost_.num_columns())) {
  check_size("log_b", reduction.log_b.size(), num_columns());
  check_size("g", reduction.g.size(), num_columns());
  KANTOR_CHECK(epsilon_ > 0 && std::isfinite(epsilon_), "soft-min reduction: epsilon = ", epsilon_,
               ", expected a finite number > 0");
  for (std::size_t j = 0; j < reduction.log_b.size(); ++j) {
    KANTOR_CHECK(reduction.log_b[j] < kInfinity, "soft-min reduction: log_b[", j,
                 "] = ", reduction.log_b[j], ", expected a number below inf");
  }
  bias_shift_ = cost_.column_bias(reduction.log_b, reduction.g, epsilon_, bias_);
}

template <class T>
void Pass<T>::make_logits(std::int64_t first_row, std::int64_t count, T* tile,
                          double* row_shifts) const {
  if (num_columns() == 0) {
    std::fill_n(row_shifts, count, 0.0);
  } else {
    cost_.logits(first_row, count, bias_.data(), epsilon_, tile, row_shifts);
  }
}

template <class T>
double Pass<T>::make_softmax(T* row, double& f) const {
  const T largest = kernels_.max(row, num_columns());
  if (largest == -std::numeric_limits<T>::infinity() && is_absent(row)) {
    std::fill_n(row, num_columns(), T{0});
    f = kInfinity;
    return 0;
  }
  const double sum = kernels_.exp_sum(row, num_columns(), largest);
  f -= epsilon_ * (static_cast<double>(largest) + std::log(sum) + bias_shift_);
  return sum;
}

template <class T>
void Pass<T>::make_softmax_panel(std::int64_t first_row, std::int64_t count, T* tile, double* sums,
                                 double* f) const {
  make_logits(first_row, count, tile, f);
  for (std::int64_t r = 0; r < count; ++r) sums[r] = make_softmax(tile + r * num_columns(), f[r]);
}

template <class T>
void Pass<T>::make_costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  if (num_columns() > 0) cost_.costs(first_row, count, tile);
}

template <class T>
void Pass<T>::for_each_lane(ThreadPool& pool, const std::function<void(std::int64_t)>& work) const {
  if (panels_.num_lanes > 0) pool.for_each(panels_.num_lanes, work);
}

/// Every logit is -inf. The row maximum alone does not tell: it skips NaN.
template <class T>
bool Pass<T>::is_absent(const T* row) const {
  return std::all_of(row, row + num_columns(),
                     [](T logit) { return logit == -std::numeric_limits<T>::infinity(); });
}

template class Pass<float>;
template class Pass<double>;

}  // namespace kantor::kernels
