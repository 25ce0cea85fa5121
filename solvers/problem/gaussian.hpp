#pragma once

// Entropic optimal transport between Gaussians: the value in closed form, and the optimal potential
// as a quadratic form that needs no inverse, so that it holds for singular covariances too. Shapes:
// D dimensions, R rank of a covariance factor. Source: Janati, Muzellec, Peyre & Cuturi 2020 (arXiv
// 2006.02572); the factored form below is derived from it.

#include <cstdint>
#include <span>
#include <vector>

#include "runtime/data/generators.hpp"
#include "runtime/kernels/cost_matrix.hpp"

namespace kantor {

struct Cloud;
struct Context;

/// Optimal value of E[c] + eps KL for sqeuclidean, half_sqeuclidean or dot. @throws ValueError for
/// other costs.
double gaussian_value(const data::GaussianLaw& mu, const data::GaussianLaw& nu,
                      kernels::CostKind cost, double epsilon);

/// True if the closed forms of this file apply.
bool has_gaussian_form(kernels::CostKind cost);

/// f(x) = scale * ( square |z|^2 - |W^T z|^2 + 2 linear.z ),  z = x - mean, up to a constant.
/// With nu ~ (b, L L^T), mu ~ (a, A), s = eps/2 of sqeuclidean:
///   W = sqrt(2) L ( (4 L^T A L + s^2 I)^{1/2} + s I )^{-1/2},
/// since the entropic map is T(x) = b + W W^T (x - a) and grad f = 2 (x - T(x)).
struct GaussianPotential {
  double scale = 1;            ///< 1 for sqeuclidean, 1/2 for half_sqeuclidean and dot
  double square = 1;           ///< 0 for dot
  std::vector<double> mean;    ///< [D]
  std::vector<double> linear;  ///< [D]
  std::vector<double> factor;  ///< W [D, R] row-major
  std::int64_t rank = 0;       ///< R
};

/// @param factor    L [D, R] row-major with L L^T = covariance of nu.
/// @param projected L^T A L [R, R].
GaussianPotential gaussian_potential(std::span<const double> mean_mu,
                                     std::span<const double> mean_nu,
                                     std::span<const double> factor,
                                     std::span<const double> projected, kernels::CostKind cost,
                                     double epsilon);

/// The same from the sample moments of two clouds: rank at most `max_rank`, and for D above 1024
/// from a seeded subset of the rows of y. Collective: rows are shared by the ranks.
GaussianPotential gaussian_potential(const Cloud& x, const Cloud& y, kernels::CostKind cost,
                                     double epsilon, std::int64_t max_rank, Context& context);

}  // namespace kantor
