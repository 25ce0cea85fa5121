#include "solvers/problem/gaussian.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "distributed/context.hpp"
#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/data/moments.hpp"
#include "runtime/kernels/blas.hpp"
#include "runtime/random/permutation.hpp"
#include "solvers/problem/cloud.hpp"

namespace kantor {

namespace {

using kernels::CostKind;

/// A low-rank factor: values is [D, R] row-major.
struct Factor {
  std::vector<double> values;
  std::int64_t rank = 0;
};

/// The `max_rank` largest eigenpairs of a symmetric matrix as columns scaled by the root of the
/// eigenvalue.
Factor eigen_factor(std::vector<double> matrix, std::int64_t size, std::int64_t max_rank) {
  std::vector<double> eigenvalues(index(size));
  kernels::symmetric_eigen(size, matrix, eigenvalues);
  const double floor = 1e-12 * std::max(eigenvalues.back(), 0.0);
  Factor factor;
  while (factor.rank < std::min(max_rank, size) &&
         eigenvalues[index(size - 1 - factor.rank)] > floor) {
    ++factor.rank;
  }
  factor.values.resize(index(size * factor.rank));
  for (std::int64_t r = 0; r < factor.rank; ++r) {
    const std::int64_t k = size - 1 - r;
    const double root = std::sqrt(eigenvalues[index(k)]);
    for (std::int64_t i = 0; i < size; ++i) {
      factor.values[index(i * factor.rank + r)] = root * matrix[index(k * size + i)];
    }
  }
  return factor;
}

/// Factor of the covariance of a cloud from all its rows.
Factor covariance_factor(const Cloud& cloud, std::int64_t max_rank, Communicator& world) {
  const Shard share = shard_of(cloud.n(), world.rank(), world.size());
  data::CentralSums sums =
      data::partial_central_sums(cloud.marginal, share.first, share.last, cloud.mean, true);
  world.all_reduce<double>(sums.covariance, ReduceOp::sum, "covariance");
  return eigen_factor(std::move(sums.covariance), cloud.d(), max_rank);
}

/// The same from the Gram matrix of a seeded subset of rows, for large D. Every rank takes the same
/// rows.
Factor sampled_covariance_factor(const Cloud& cloud, std::int64_t max_rank, std::int64_t seed) {
  constexpr std::int64_t kSample = 1024;
  const data::Marginal& marginal = cloud.marginal;
  const std::int64_t d = cloud.d();
  const std::int64_t count = std::min(kSample, marginal.n());
  const random::Permutation order(static_cast<std::uint64_t>(marginal.n()),
                                  static_cast<std::uint64_t>(seed), random::Purpose::evaluation, 2,
                                  0);
  std::vector<std::int64_t> rows(index(count));
  double mass = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    rows[index(i)] = static_cast<std::int64_t>(order(static_cast<std::uint64_t>(i)));
    mass += marginal.weight(rows[index(i)]);
  }
  std::vector<double> points(index(count * d));
  marginal.read<double>(rows, cloud.mean, points.data());
  for (std::int64_t i = 0; i < count; ++i) {
    const double root = mass > 0 ? std::sqrt(marginal.weight(rows[index(i)]) / mass) : 0;
    for (std::int64_t k = 0; k < d; ++k) points[index(i * d + k)] *= root;
  }
  std::vector<double> gram(index(count * count));
  kernels::gemm_nt(count, count, d, 1.0, points.data(), d, points.data(), d, 0.0, gram.data(),
                   count);
  std::vector<double> eigenvalues(index(count));
  kernels::symmetric_eigen(count, gram, eigenvalues);
  Factor factor{.values = {}, .rank = std::min(max_rank, count)};
  std::vector<double> top(index(factor.rank * d));  // rows: sqrt(eigenvalue) times a direction
  kernels::gemm_nn(factor.rank, d, count, 1.0, gram.data() + (count - factor.rank) * count, count,
                   points.data(), d, 0.0, top.data(), d);
  factor.values.resize(top.size());
  for (std::int64_t r = 0; r < factor.rank; ++r) {
    for (std::int64_t k = 0; k < d; ++k)
      factor.values[index(k * factor.rank + r)] = top[index(r * d + k)];
  }
  return factor;
}

/// L^T A L with A the covariance of a cloud: rows are projected and dropped. @return [R, R].
std::vector<double> projected_covariance(const Cloud& cloud, const Factor& factor,
                                         Communicator& world) {
  constexpr std::int64_t kBlock = 512;
  const data::Marginal& marginal = cloud.marginal;
  const std::int64_t d = cloud.d();
  const std::int64_t rank = factor.rank;
  const Shard share = shard_of(marginal.n(), world.rank(), world.size());
  std::vector<double> projected(index(rank * rank), 0.0);
  std::vector<double> rows(index(kBlock * d));
  std::vector<double> z(index(kBlock * rank));
  std::vector<double> z_transposed(z.size());
  for (std::int64_t first = share.first; first < share.last; first += kBlock) {
    const std::int64_t count = std::min(kBlock, share.last - first);
    marginal.read_range<double>(first, count, cloud.mean, rows.data());
    kernels::gemm_nn(count, rank, d, 1.0, rows.data(), d, factor.values.data(), rank, 0.0, z.data(),
                     rank);
    for (std::int64_t i = 0; i < count; ++i) {
      const double root = std::sqrt(marginal.weight(first + i));
      for (std::int64_t r = 0; r < rank; ++r) {
        z_transposed[index(r * count + i)] = root * z[index(i * rank + r)];
      }
    }
    kernels::gemm_nt(rank, rank, count, 1.0, z_transposed.data(), count, z_transposed.data(), count,
                     1.0, projected.data(), rank);
  }
  world.all_reduce<double>(projected, ReduceOp::sum, "projected covariance");
  return projected;
}

/// epsilon of the sqeuclidean problem with the same plan.
double epsilon_of_square(CostKind cost, double epsilon) {
  return cost == CostKind::sqeuclidean ? epsilon : 2 * epsilon;
}

double trace(std::span<const double> matrix, std::int64_t d) {
  double sum = 0;
  for (std::int64_t k = 0; k < d; ++k) sum += matrix[index(k * d + k)];
  return sum;
}

}  // namespace

bool has_gaussian_form(CostKind cost) {
  return cost == CostKind::sqeuclidean || cost == CostKind::half_sqeuclidean ||
         cost == CostKind::dot;
}

double gaussian_value(const data::GaussianLaw& mu, const data::GaussianLaw& nu, CostKind cost,
                      double epsilon) {
  KANTOR_CHECK(has_gaussian_form(cost), "no closed form for this cost");
  const auto d = static_cast<std::int64_t>(mu.mean.size());
  const double s = epsilon_of_square(cost, epsilon) / 2;

  // Eigenvalues of L^T A L with B = L L^T are those of A^{1/2} B A^{1/2}; the missing ones are 0.
  const Factor factor = eigen_factor(nu.covariance, d, d);
  const std::int64_t rank = factor.rank;
  std::vector<double> a_l(index(d * rank));
  std::vector<double> l_transposed(a_l.size());
  for (std::int64_t k = 0; k < d; ++k) {
    for (std::int64_t r = 0; r < rank; ++r) {
      l_transposed[index(r * d + k)] = factor.values[index(k * rank + r)];
    }
  }
  std::vector<double> inner(index(rank * rank));
  kernels::gemm_nn(d, rank, d, 1.0, mu.covariance.data(), d, factor.values.data(), rank, 0.0,
                   a_l.data(), rank);
  kernels::gemm_nn(rank, rank, d, 1.0, l_transposed.data(), d, a_l.data(), rank, 0.0, inner.data(),
                   rank);
  std::vector<double> eigenvalues(index(rank));
  kernels::symmetric_eigen(rank, inner, eigenvalues);
  eigenvalues.resize(index(d), 0.0);

  double value = trace(mu.covariance, d) + trace(nu.covariance, d);
  double squares = value;  // E|x|^2 + E|y|^2
  for (std::int64_t k = 0; k < d; ++k) {
    const double delta = std::sqrt(4 * std::max(eigenvalues[index(k)], 0.0) + s * s);
    value += -delta + s * (1 - std::log(2 * s)) + s * std::log(delta + s);
    const double shift = mu.mean[index(k)] - nu.mean[index(k)];
    value += shift * shift;
    squares += mu.mean[index(k)] * mu.mean[index(k)] + nu.mean[index(k)] * nu.mean[index(k)];
  }
  if (cost == CostKind::sqeuclidean) return value;
  if (cost == CostKind::half_sqeuclidean) return value / 2;
  return (value - squares) / 2;
}

GaussianPotential gaussian_potential(std::span<const double> mean_mu,
                                     std::span<const double> mean_nu,
                                     std::span<const double> factor,
                                     std::span<const double> projected, CostKind cost,
                                     double epsilon) {
  KANTOR_CHECK(has_gaussian_form(cost), "no closed form for this cost");
  const auto d = static_cast<std::int64_t>(mean_mu.size());
  const auto rank =
      static_cast<std::int64_t>(std::llround(std::sqrt(static_cast<double>(projected.size()))));
  KANTOR_CHECK(static_cast<std::int64_t>(factor.size()) == d * rank, "the factor is not [D, R]");
  const double s = epsilon_of_square(cost, epsilon) / 2;

  // W = sqrt(2) L V diag(h) with L^T A L = V diag(lambda) V^T and h = (sqrt(4 lambda + s^2) +
  // s)^{-1/2}.
  std::vector<double> directions(projected.begin(), projected.end());
  std::vector<double> eigenvalues(index(rank));
  kernels::symmetric_eigen(rank, directions, eigenvalues);
  for (std::int64_t r = 0; r < rank; ++r) {
    const double lambda = std::max(eigenvalues[index(r)], 0.0);
    const double scale = std::sqrt(2 / (std::sqrt(4 * lambda + s * s) + s));
    for (std::int64_t k = 0; k < rank; ++k) directions[index(r * rank + k)] *= scale;
  }
  GaussianPotential potential;
  potential.rank = rank;
  potential.mean.assign(mean_mu.begin(), mean_mu.end());
  potential.factor.resize(index(d * rank));
  kernels::gemm_nt(d, rank, rank, 1.0, factor.data(), rank, directions.data(), rank, 0.0,
                   potential.factor.data(), rank);
  potential.linear.resize(index(d));
  const bool is_dot = cost == CostKind::dot;
  for (std::int64_t k = 0; k < d; ++k) {
    potential.linear[index(k)] = (is_dot ? 0 : mean_mu[index(k)]) - mean_nu[index(k)];
  }
  potential.scale = cost == CostKind::sqeuclidean ? 1 : 0.5;
  potential.square = is_dot ? 0 : 1;
  return potential;
}

GaussianPotential gaussian_potential(const Cloud& x, const Cloud& y, CostKind cost, double epsilon,
                                     std::int64_t max_rank, Context& context) {
  constexpr std::int64_t kLargestCovariance = 1024;
  const Factor factor = y.d() <= kLargestCovariance
                            ? covariance_factor(y, max_rank, context.world)
                            : sampled_covariance_factor(y, max_rank, context.run.seed);
  const std::vector<double> projected = projected_covariance(x, factor, context.world);
  return gaussian_potential(x.mean, y.mean, factor.values, projected, cost, epsilon);
}

}  // namespace kantor
