#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/cost_policies.hpp"

namespace kantor::kernels {

double cost_between(const Cost& cost, std::span<const double> x, std::span<const double> y) {
  if (x.size() != y.size()) {
    throw ShapeError(concat("cost between points of ", x.size(), " and ", y.size(),
                            " dimensions; they must agree"));
  }
  double product = 0;
  double square = 0;
  double powers = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double difference = x[k] - y[k];
    product += x[k] * y[k];
    square += difference * difference;
    if (cost.kind == CostKind::pnorm) powers += std::pow(std::abs(difference), cost.p);
  }
  switch (cost.kind) {
    case CostKind::sqeuclidean:
      return square;
    case CostKind::half_sqeuclidean:
      return square / 2;
    case CostKind::dot:
      return -product;
    case CostKind::euclidean:
      return std::sqrt(square);
    case CostKind::pnorm:
      return powers / cost.p;
  }
  throw ValueError(concat("cost kind ", static_cast<int>(cost.kind), " is not one of CostKind"));
}

template <class T>
std::unique_ptr<CostMatrix<T>> streamed_cost(const Cost& cost, Points<T> x, Points<T> y,
                                             std::span<const double> shift) {
  if (x.n < 0 || y.n < 0 || x.d < 1 || x.d != y.d) {
    throw ShapeError(concat("cost matrix of points [", x.n, ", ", x.d, "] and [", y.n, ", ", y.d,
                            "]: expected the same number of dimensions, at least 1"));
  }
  if (!shift.empty() && shift.size() != static_cast<std::size_t>(x.d)) {
    throw ShapeError(concat("cost matrix: a shift of ", shift.size(), " numbers for points of ",
                            x.d, " dimensions"));
  }
  switch (cost.kind) {
    case CostKind::sqeuclidean:
    case CostKind::half_sqeuclidean:
    case CostKind::dot:
      return std::make_unique<FactoredCost<T>>(cost.kind, x, y, shift);
    case CostKind::euclidean:
      return std::make_unique<EuclideanCost<T>>(x, y);
    case CostKind::pnorm:
      if (!(cost.p > 1) || !std::isfinite(cost.p)) {
        throw ValueError(concat("pnorm cost with p = ", cost.p, "; expected a finite p > 1"));
      }
      return std::make_unique<PnormCost<T>>(cost.p, x, y);
  }
  throw ValueError(concat("cost kind ", static_cast<int>(cost.kind), " is not one of CostKind"));
}

template std::unique_ptr<CostMatrix<float>> streamed_cost(const Cost&, Points<float>, Points<float>,
                                                          std::span<const double>);
template std::unique_ptr<CostMatrix<double>> streamed_cost(const Cost&, Points<double>,
                                                           Points<double>, std::span<const double>);

}  // namespace kantor::kernels
