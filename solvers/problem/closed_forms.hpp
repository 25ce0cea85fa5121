#pragma once

#include <optional>

#include "solvers/problem/problem.hpp"

namespace kantor {

/// The optimal value of the population problem, where the generators' laws have one: two Gaussians
/// (closed form) or two equal uniform cubes (one-dimensional quadrature; the value depends on d *
/// epsilon alone; nothing below 0.005, where the nodes are too few).
std::optional<Reference> closed_form(const ProblemConfig& config, double epsilon);

/// Value of entropic Gromov-Wasserstein with inner products, between centred Gaussians.
/// Source: Le, Nguyen, Le & Ho 2022.
std::optional<Reference> closed_form_of_distortion(const ProblemConfig& config, double epsilon);

/// OT between Unif[-1, 1] and itself, sqeuclidean: Sinkhorn on Gauss-Legendre nodes, to 1e-13 from
/// epsilon = 0.01 up and to 1e-10 from 0.005.
double unit_interval_value(double epsilon);

}  // namespace kantor
