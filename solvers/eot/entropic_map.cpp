#include "solvers/eot/entropic_map.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"

namespace kantor {

namespace {

using kernels::CostKind;

/// grad h(v) = sign(v) |v|^(q - 1), coordinatewise; with the conjugate exponent its inverse.
double power_gradient(double v, double q) {
  const double size = std::abs(v);
  return std::copysign(q == 1.5 ? std::sqrt(size) : std::pow(size, q - 1), v);
}

/// Exponents become weights, of which the largest is 1, so that some are left however far all
/// points are and however much of the exponents is rounding. @return their sum; NaN if none is a
/// number.
double exponents_to_weights(std::span<double> exponents) {
  const double largest = std::ranges::max(exponents);
  double mass = 0;
  for (double& value : exponents) mass += value = std::exp(value - largest);
  return mass;
}

/// By coordinate differences, panel by panel.
template <class T>
std::vector<double> pnorm_gradients(const kernels::Reduction<T>& reduction, double p,
                                    kernels::Points<T> x, kernels::Points<T> y, ThreadPool& pool) {
  constexpr std::int64_t kPanelRows = 16;
  constexpr double kNegligible = 1e-24;  // of the largest weight, beside sums in double
  std::vector<double> gradients(index(x.n * x.d), 0.0);
  pool.for_each((x.n + kPanelRows - 1) / kPanelRows, [&](std::int64_t panel) {
    const std::int64_t first = panel * kPanelRows;
    const std::int64_t count = std::min(kPanelRows, x.n - first);
    std::vector<T> costs(index(count * y.n));
    std::vector<double> weights(index(y.n));
    reduction.cost.costs(first, count, costs.data());
    for (std::int64_t r = 0; r < count; ++r) {
      const T* point = x.data + (first + r) * x.d;
      double* gradient = gradients.data() + (first + r) * x.d;
      for (std::size_t j = 0; j < weights.size(); ++j) {
        const double cost = static_cast<double>(costs[index(r * y.n) + j]);
        weights[j] = reduction.log_b[j] + (reduction.g[j] - cost) / reduction.epsilon;
      }
      const double mass = exponents_to_weights(weights);
      for (std::int64_t j = 0; j < y.n; ++j) {
        const double weight = weights[index(j)] / mass;
        if (weight <= kNegligible) continue;
        for (std::int64_t k = 0; k < x.d; ++k) {
          const double difference =
              static_cast<double>(point[k]) - static_cast<double>(y.data[j * y.d + k]);
          gradient[k] += weight * power_gradient(difference, p);
        }
      }
    }
  });
  return gradients;
}

/// @param moves [N, D].
void check_finite(std::span<const double> moves, std::int64_t d) {
  for (std::size_t i = 0; i < moves.size(); ++i) {
    if (std::isfinite(moves[i])) continue;
    throw DataError(concat("the entropic map at point ", i / index(d), " is ", moves[i],
                           ": it is so far from the points it is mapped to that what they cost is "
                           "no finite number; expected points near those of the problem"));
  }
}

}  // namespace

template <class T>
std::vector<double> mean_gradients(const kernels::Reduction<T>& reduction,
                                   const kernels::Cost& cost, kernels::Points<T> x,
                                   kernels::Points<T> y, ThreadPool& pool, std::span<double> f) {
  KANTOR_CHECK(has_entropic_map(cost.kind), "this cost has no entropic map");
  if (x.n == 0) return {};
  if (cost.kind == CostKind::pnorm) {
    kernels::soft_min<T>(reduction, pool, f);
    std::vector<double> result = pnorm_gradients<T>(reduction, cost.p, x, y, pool);
    check_finite(result, x.d);
    return result;
  }
  std::vector<double> result(index(x.n * x.d));
  kernels::soft_min_averages<T>(reduction, {y.data, index(y.n * y.d)}, y.d, pool, f, result);
  check_finite(result, x.d);
  return gradients_of_averages<T>(x, std::move(result));
}

template <class T>
std::vector<double> gradients_of_averages(kernels::Points<T> x, std::vector<double> averages) {
  for (std::size_t i = 0; i < averages.size(); ++i) {
    averages[i] = static_cast<double>(x.data[i]) - averages[i];
  }
  return averages;
}

void to_displacements(const kernels::Cost& cost, std::span<double> v) {
  if (cost.kind != CostKind::pnorm) return;
  for (double& value : v) value = power_gradient(value, cost.p / (cost.p - 1));
}

MapTarget::MapTarget(const Pair& pair_, std::size_t marginal) : pair(pair_) {
  const data::Marginal& from = pair.cloud(marginal).marginal;
  points.resize(index(from.n() * from.d()));
  from.read_range<double>(0, from.n(), pair.centre, points.data());
  for (const double weight : from.weights()) log_weights.push_back(std::log(weight));
}

std::vector<double> MapTarget::gradients(const std::vector<double>& x,
                                         std::span<const double> potential, double epsilon,
                                         const std::vector<double>& averaged, ThreadPool& pool,
                                         std::vector<double>& f) const {
  const auto cost = cost_from(x);
  f.resize(index(view(x).n));
  return mean_gradients<double>({*cost, log_weights, potential, epsilon}, pair.cost.kernel, view(x),
                                view(averaged), pool, f);
}

template std::vector<double> mean_gradients(const kernels::Reduction<float>&, const kernels::Cost&,
                                            kernels::Points<float>, kernels::Points<float>,
                                            ThreadPool&, std::span<double>);
template std::vector<double> mean_gradients(const kernels::Reduction<double>&, const kernels::Cost&,
                                            kernels::Points<double>, kernels::Points<double>,
                                            ThreadPool&, std::span<double>);

template std::vector<double> gradients_of_averages(kernels::Points<float>, std::vector<double>);
template std::vector<double> gradients_of_averages(kernels::Points<double>, std::vector<double>);

}  // namespace kantor
