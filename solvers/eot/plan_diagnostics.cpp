#include "solvers/eot/plan_diagnostics.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "solvers/problem/cost_file.hpp"

namespace kantor {

namespace {

constexpr double kNearlyIndependent = .9;
constexpr double kNearlyMatching = .05;

double minus_log(double weight) { return weight > 0 ? -std::log(weight) : 0; }

/// A point as it was given. @param at of its first coordinate.
std::vector<double> raw_point(const Pair& pair, const double* at) {
  std::vector<double> point(at, at + pair.d());
  for (std::size_t k = 0; k < point.size(); ++k) point[k] += pair.centre[k];
  return point;
}

/// Cost of this rank's point `row`, which is point `column` of all, and y_column.
double diagonal_cost(const Pair& pair, const ShardedPairs<double>& points, std::int64_t row,
                     std::int64_t column) {
  if (pair.cost.file) return cost_at(*pair.cost.file, column, column);
  return kernels::cost_between(pair.cost.kernel, raw_point(pair, points.x().data + row * pair.d()),
                               raw_point(pair, points.y().data + column * pair.d()));
}

}  // namespace

void PlanDiagnostics::put_into(Result& result, const Pair& pair) const {
  const auto put = [&](const char* name, std::optional<double> value, const char* meaning) {
    if (value) result.own.set(name, *value, meaning).before = "dual_value";
  };
  put("entropy", entropy, "- sum P log P, of the rounded plan");
  put("normalised_entropy", normalised_entropy,
      "(entropy - the larger entropy of a marginal) / the smaller: 0 for a matching, 1 for "
      "independence");
  put("diagonal_mass", diagonal_mass, "sum_i P_ii; rows exact, not rounded");
  put("identity_kl", identity_kl, "sum_i a_i log(a_i / P_ii), if the weights agree");
  if (normalised_entropy.value_or(0) <= kNearlyIndependent) return;
  const double share = pair.epsilon / pair.mean_cost;
  result.advice.push_back(concat(
      "the plan is nearly independent (normalised_entropy ", format_digits(*normalised_entropy, 7),
      "): which x belongs to which y is hardly seen at epsilon ", format_digits(pair.epsilon, 7),
      std::isfinite(share) ? concat(", ", format_digits(share, 2), " of the mean cost") : "",
      "; in a new --out, lower problem.epsilon for a sharper plan"));
}

std::vector<Line> plan_lines(const Record& result) {
  const auto spread = result.find_as<double>("normalised_entropy");
  if (!spread) return {};
  const char* word = *spread > kNearlyIndependent ? "nearly independent"
                     : *spread < kNearlyMatching  ? "nearly a matching"
                                                  : "between the two";
  return {{"plan",
           concat(word, ": normalised_entropy ", format_digits(*spread, 2),
                  " of 0 (a matching) to 1 (independence)"),
           "reference"}};
}

PlanDiagnostics plan_entropy(const ShardedPairs<double>& points, double kl) {
  std::vector<double> logs_a;
  std::vector<double> logs_b;
  for (const double weight : points.a()) logs_a.push_back(minus_log(weight));
  for (const double weight : points.b()) logs_b.push_back(minus_log(weight));
  const double of_a = points.expectation_x(logs_a);
  const double of_b = points.expectation_y(logs_b);
  PlanDiagnostics shape{.entropy = of_a + of_b - kl};
  if (std::min(of_a, of_b) > 0) {
    shape.normalised_entropy = (shape.entropy - std::max(of_a, of_b)) / std::min(of_a, of_b);
  }
  return shape;
}

PlanDiagnostics plan_diagnostics(const Pair& pair, const ShardedPairs<double>& points, double kl,
                                 std::span<const double> f, std::span<const double> g) {
  const std::span<const double> a = points.a();
  const std::span<const double> b = points.b();
  PlanDiagnostics shape = plan_entropy(points, kl);
  if (points.n() != points.m()) return shape;

  std::vector<double> masses(a.size());       // P_ii / a_i
  std::vector<double> divergences(a.size());  // log(a_i / P_ii)
  std::vector<double> differences(a.size());  // of the weights
  for (std::size_t i = 0; i < a.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i);
    const std::int64_t column = points.rows().first + row;
    const auto j = static_cast<std::size_t>(column);
    const double cost = diagonal_cost(pair, points, row, column);
    const double exponent = std::log(b[j]) + (f[i] + g[j] - cost) / points.epsilon();
    masses[i] = std::exp(exponent);
    divergences[i] = -exponent;
    differences[i] = a[i] > 0 ? std::abs(a[i] - b[j]) / a[i] : 0;
  }
  shape.diagonal_mass = points.expectation_x(masses);
  const double identity_kl = points.expectation_x(divergences);
  // The identity is a coupling of equal weights alone; those read from a file may be rounded.
  if (points.expectation_x(differences) < 1e-9 && std::isfinite(identity_kl)) {
    shape.identity_kl = identity_kl;
  }
  return shape;
}

}  // namespace kantor
