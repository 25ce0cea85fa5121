#include <algorithm>
#include <cmath>
#include <limits>

#include "runtime/core/error.hpp"
#include "runtime/kernels/blas.hpp"
#include "runtime/kernels/cost_policies.hpp"

namespace kantor::kernels {
namespace {

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

template <class T>
std::span<const T> row(const Points<T>& points, std::int64_t i) {
  return {points.data + i * points.d, at(points.d)};
}

template <class T>
double square(std::span<const T> x) {
  double sum = 0;
  for (const T value : x) sum += static_cast<double>(value) * static_cast<double>(value);
  return sum;
}

template <class T>
double product(std::span<const T> x, std::span<const double> y) {
  double sum = 0;
  for (std::size_t k = 0; k < y.size(); ++k) sum += static_cast<double>(x[k]) * y[k];
  return sum;
}

template <class T>
double distance(std::span<const T> x, std::span<const T> y) {
  double sum = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double difference = static_cast<double>(x[k]) - static_cast<double>(y[k]);
    sum += difference * difference;
  }
  return std::sqrt(sum);
}

/// tile = bias - tile / eps, row by row: logits of plain costs.
template <class T>
void costs_to_logits(std::int64_t count, std::int64_t m, const T* bias, double epsilon, T* tile,
                     double* row_shifts) {
  const auto& kernels = vector_kernels<T>();
  const T scale = static_cast<T>(1 / epsilon);
  for (std::int64_t r = 0; r < count; ++r) {
    kernels.stored_logits(bias, tile + r * m, scale, m, tile + r * m);
    row_shifts[r] = 0;
  }
}

}  // namespace

template <class T>
double shifted_bias(std::span<const double> log_b, std::span<const double> g,
                    std::span<const double> column_part, double epsilon, std::span<T> bias) {
  if (g.size() != log_b.size() || bias.size() != log_b.size() ||
      (!column_part.empty() && column_part.size() != log_b.size())) {
    throw ShapeError(concat("column bias: ", log_b.size(), " log-weights, ", g.size(),
                            " potentials, room for ", bias.size(),
                            "; expected one of each per column"));
  }
  const auto exact = [&](std::size_t j) {
    // An absent point is absent whatever its potential is.
    if (log_b[j] == -std::numeric_limits<double>::infinity()) return log_b[j];
    return log_b[j] + (g[j] - (column_part.empty() ? 0.0 : column_part[j])) / epsilon;
  };
  double largest = -std::numeric_limits<double>::infinity();
  for (std::size_t j = 0; j < log_b.size(); ++j) largest = std::max(largest, exact(j));
  if (!std::isfinite(largest)) largest = 0;
  for (std::size_t j = 0; j < log_b.size(); ++j) bias[j] = static_cast<T>(exact(j) - largest);
  return largest;
}

template double shifted_bias(std::span<const double>, std::span<const double>,
                             std::span<const double>, double, std::span<float>);
template double shifted_bias(std::span<const double>, std::span<const double>,
                             std::span<const double>, double, std::span<double>);

// |x - y|^2 = |x|^2 + |y|^2 - 2 <x, y>; -<x + s, y + s> = -<x, s> - <s, s> - <y, s> - <x, y>.
template <class T>
FactoredCost<T>::FactoredCost(CostKind kind, Points<T> x, Points<T> y,
                              std::span<const double> shift)
    : CostMatrix<T>(x.n, y.n),
      x_(x),
      y_(y),
      factor_(kind == CostKind::sqeuclidean ? 2 : 1),
      is_distance_(kind != CostKind::dot),
      alpha_(at(x.n)),
      beta_(at(y.n)) {
  if (kind == CostKind::dot) {
    const double shift_square = square(shift);
    for (std::int64_t i = 0; i < x.n; ++i)
      alpha_[at(i)] = -product(row(x, i), shift) - shift_square;
    for (std::int64_t j = 0; j < y.n; ++j) beta_[at(j)] = -product(row(y, j), shift);
  } else {
    for (std::int64_t i = 0; i < x.n; ++i) alpha_[at(i)] = factor_ / 2 * square(row(x, i));
    for (std::int64_t j = 0; j < y.n; ++j) beta_[at(j)] = factor_ / 2 * square(row(y, j));
  }
}

template <class T>
double FactoredCost<T>::column_bias(std::span<const double> log_b, std::span<const double> g,
                                    double epsilon, std::span<T> bias) const {
  return shifted_bias<T>(log_b, g, beta_, epsilon, bias);
}

template <class T>
void FactoredCost<T>::logits(std::int64_t first_row, std::int64_t count, const T* bias,
                             double epsilon, T* logits, double* row_shifts) const {
  const auto& kernels = vector_kernels<T>();
  for (std::int64_t r = 0; r < count; ++r) {
    kernels.copy(bias, y_.n, logits + r * y_.n);
    row_shifts[r] = alpha_[at(first_row + r)];
  }
  gemm_nt(count, y_.n, x_.d, static_cast<T>(factor_ / epsilon), x_.data + first_row * x_.d, x_.d,
          y_.data, y_.d, T{1}, logits, y_.n);
}

template <class T>
void FactoredCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  for (std::int64_t r = 0; r < count; ++r) {
    const double alpha = alpha_[at(first_row + r)];
    T* out = tile + r * y_.n;
    for (std::int64_t j = 0; j < y_.n; ++j) out[j] = static_cast<T>(alpha + beta_[at(j)]);
  }
  gemm_nt(count, y_.n, x_.d, static_cast<T>(-factor_), x_.data + first_row * x_.d, x_.d, y_.data,
          y_.d, T{1}, tile, y_.n);
  if (!is_distance_) return;
  for (std::int64_t k = 0; k < count * y_.n; ++k) tile[k] = tile[k] < T{0} ? T{0} : tile[k];
}

template <class T>
EuclideanCost<T>::EuclideanCost(Points<T> x, Points<T> y)
    : CostMatrix<T>(x.n, y.n), x_(x), y_(y), x_squares_(at(x.n)), y_squares_(at(y.n)) {
  for (std::int64_t i = 0; i < x.n; ++i) x_squares_[at(i)] = static_cast<T>(square(row(x, i)));
  for (std::int64_t j = 0; j < y.n; ++j) y_squares_[at(j)] = static_cast<T>(square(row(y, j)));
}

template <class T>
double EuclideanCost<T>::column_bias(std::span<const double> log_b, std::span<const double> g,
                                     double epsilon, std::span<T> bias) const {
  return shifted_bias<T>(log_b, g, {}, epsilon, bias);
}

template <class T>
void EuclideanCost<T>::logits(std::int64_t first_row, std::int64_t count, const T* bias,
                              double epsilon, T* logits, double* row_shifts) const {
  costs(first_row, count, logits);
  costs_to_logits(count, y_.n, bias, epsilon, logits, row_shifts);
}

template <class T>
void EuclideanCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  // A square s of the factored form errs by a few eps (|x|^2 + |y|^2). Below tau times that sum it
  // is taken again by differences; above, its relative error is a few eps / tau: 1e-12 and 1e-4.
  const T tau = static_cast<T>(std::is_same_v<T, float> ? 1e-2 : 1e-3);
  const auto& kernels = vector_kernels<T>();
  for (std::int64_t r = 0; r < count; ++r) {
    const T x_square = x_squares_[at(first_row + r)];
    T* out = tile + r * y_.n;
    for (std::int64_t j = 0; j < y_.n; ++j) out[j] = x_square + y_squares_[at(j)];
  }
  gemm_nt(count, y_.n, x_.d, T{-2}, x_.data + first_row * x_.d, x_.d, y_.data, y_.d, T{1}, tile,
          y_.n);
  for (std::int64_t r = 0; r < count; ++r) {
    T* out = tile + r * y_.n;
    const std::int64_t i = first_row + r;
    if (!kernels.root_or_mark(out, y_squares_.data(), x_squares_[at(i)], tau, y_.n)) continue;
    for (std::int64_t j = 0; j < y_.n; ++j) {
      if (out[j] < T{0}) out[j] = static_cast<T>(distance(row(x_, i), row(y_, j)));
    }
  }
}

template <class T>
PnormCost<T>::PnormCost(double p, Points<T> x, Points<T> y)
    : CostMatrix<T>(x.n, y.n), p_(static_cast<T>(p)), x_(x), y_columns_(at(y.n * y.d)) {
  for (std::int64_t j = 0; j < y.n; ++j) {
    for (std::int64_t k = 0; k < y.d; ++k) y_columns_[at(k * y.n + j)] = y.data[j * y.d + k];
  }
}

template <class T>
double PnormCost<T>::column_bias(std::span<const double> log_b, std::span<const double> g,
                                 double epsilon, std::span<T> bias) const {
  return shifted_bias<T>(log_b, g, {}, epsilon, bias);
}

template <class T>
void PnormCost<T>::logits(std::int64_t first_row, std::int64_t count, const T* bias, double epsilon,
                          T* logits, double* row_shifts) const {
  costs(first_row, count, logits);
  costs_to_logits(count, this->num_columns(), bias, epsilon, logits, row_shifts);
}

template <class T>
void PnormCost<T>::costs(std::int64_t first_row, std::int64_t count, T* tile) const {
  const std::int64_t m = this->num_columns();
  const auto& kernels = vector_kernels<T>();
  for (std::int64_t r = 0; r < count; ++r) {
    kernels.pnorm_row(x_.data + (first_row + r) * x_.d, y_columns_.data(), x_.d, m, p_,
                      tile + r * m);
  }
}

template class FactoredCost<float>;
template class FactoredCost<double>;
template class EuclideanCost<float>;
template class EuclideanCost<double>;
template class PnormCost<float>;
template class PnormCost<double>;

}  // namespace kantor::kernels
