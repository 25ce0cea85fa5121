#pragma once

// What rounding may change of a solve: as much as the problem answers to points that are wrong by
// the rounding of a sum over them.

#include <algorithm>
#include <cmath>
#include <vector>

#include "solvers/result.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::test {

/// Each coordinate up or down by a share of the largest.
inline std::vector<double> jittered(std::vector<double> points, double share, std::uint64_t seed) {
  double largest = 0;
  for (const double coordinate : points) largest = std::max(largest, std::abs(coordinate));
  const std::vector<double> sides = kernels::test::uniform(std::ssize(points), -1, 1, seed);
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] += std::copysign(share * largest, sides[i]);
  }
  return points;
}

/// The problem of jittered points, at the same epsilon or rule for it.
inline Problem jittered(const Problem& problem, double share) {
  std::vector<data::Marginal> marginals;
  for (std::size_t k = 0; k < 2; ++k) {
    const data::Marginal& marginal = problem.clouds[k].marginal;
    marginals.push_back(make_marginal(jittered(points_of(marginal), share, 31 + k), marginal.d(),
                                      marginal.weights(), marginal.holdout()));
  }
  Problem other = make_problem(problem.cost.kernel, problem.epsilon, marginals[0], marginals[1]);
  other.rule = problem.rule;
  rho_of(other) = rho_of(problem);
  return other;
}

/// What all solvers tell, in one row.
inline std::vector<double> numbers_of(const Outcome& result) {
  std::vector<double> numbers = {*result.objective, *result.transport_cost, *result.kl,
                                 result.dual_value};
  const auto add = [&](const std::vector<double>& more) {
    numbers.insert(numbers.end(), more.begin(), more.end());
  };
  add(result.marginal_error);
  add(result.epsilons);
  add(result.points);
  if (result.shape) add({result.shape->entropy, result.shape->diagonal_mass.value_or(0)});
  for (const auto& potential : result.potentials) add(potential);
  for (const data::NamedTensor& tensor : result.tensors) add(tensor.values);
  return numbers;
}

/// The largest change of a number under changes of the points, over their share of the points.
/// @param solve from a problem to a result, in double, in one process, by a number of iterations
///              that is the same for both.
template <class Solve>
double condition_of(const Problem& problem, const Solve& solve) {
  constexpr double kShare = 1e-6;  // far above what double rounds, far below what bends the answer
  const std::vector<double> numbers = numbers_of(solve(problem));
  const std::vector<double> others = numbers_of(solve(jittered(problem, kShare)));
  double most = 1;  // what is told may be rounded itself
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    most = std::max(most, std::abs(numbers[i] - others.at(i)) / kShare);
  }
  return most;
}

/// Between two solves in T that add in different orders.
template <class T>
double rounding(const Problem& problem, double condition) {
  return condition * tol<T>(static_cast<double>(std::max(problem.n(0), problem.n(1))));
}

}  // namespace kantor::test
