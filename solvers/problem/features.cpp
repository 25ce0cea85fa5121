#include "solvers/problem/features.hpp"

#include "runtime/core/error.hpp"
#include "solvers/problem/gaussian.hpp"

namespace kantor {

namespace {

struct FeatureName {
  Feature feature;
  const char* name;
  bool is_of_cost;  ///< else of the penalties
};

constexpr FeatureName kNames[] = {
    {Feature::points, "points", true},
    {Feature::entropic_map,
     "an entropic map (that of sqeuclidean, half_sqeuclidean, dot or pnorm between points)", true},
    {Feature::held_marginals, "both marginals held exactly", false},
    {Feature::costs_within_marginals, "costs within each marginal", true},
    {Feature::gaussian_form,
     "a closed form between Gaussians (sqeuclidean, half_sqeuclidean, dot, cosine)", true}};

}  // namespace

bool has_entropic_map(kernels::CostKind cost) { return cost != kernels::CostKind::euclidean; }

Features offered_by(const ProblemConfig& problem) {
  Features offered{};
  const auto add = [&](Feature feature, bool is_offered) {
    if (is_offered) offered.add(feature);
  };
  const bool has_points = problem.cost != "matrix";
  add(Feature::points, has_points);
  add(Feature::costs_within_marginals, has_points);
  add(Feature::held_marginals, penalty_of(problem.terms).is_balanced());
  if (!has_points) return offered;
  const kernels::CostKind kind = cost_kind(problem.cost);
  add(Feature::entropic_map, has_entropic_map(kind) && problem.cost != "cosine");
  add(Feature::gaussian_form, has_gaussian_form(kind));
  return offered;
}

void require(Features needed, const ProblemConfig& problem, const std::string& who,
             const std::string& remedy) {
  const Features missing = needed.without(offered_by(problem));
  for (const FeatureName& each : kNames) {
    if (!missing.has(each.feature)) continue;
    throw ConfigError(concat(
        who, " needs ", each.name, ", which problem.",
        each.is_of_cost ? concat("cost = \"", problem.cost, "\" does not offer") : "rho gives up",
        "; ", remedy));
  }
}

}  // namespace kantor
