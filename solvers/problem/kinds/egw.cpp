// Entropic Gromov-Wasserstein between two marginals in spaces of their own; fused where they also
// have features in a space that they share.

#include <cmath>

#include "distributed/collectively.hpp"
#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "solvers/problem/closed_forms.hpp"
#include "solvers/problem/kind.hpp"

namespace kantor {

namespace {

void describe(config::Fields& fields, ProblemConfig& config) {
  describe_cost(fields, kEgwKind, config);
  config.epsilon.describe(fields);
  fields
      .add("alpha", config.terms.emplace<EgwTerms>().alpha,
           "of the distortion; the rest is of |s - t|^2 between shared features")
      .between(0, 1);
}

void check(const ProblemConfig& config) {
  check_marginals(kEgwKind, config);
  if (config.epsilon.relative == "std") {
    throw ConfigError(
        "problem.epsilon relative to the std is of no use to kind egw, whose distortion has "
        "moments "
        "of order 8; use relative = \"mean\", or a number");
  }
  const double alpha = std::get<EgwTerms>(config.terms).alpha;
  for (std::size_t i = 0; i < 2; ++i) {
    if (config.marginals[i].shared.empty() == (alpha == 1)) continue;
    throw ConfigError(alpha == 1
                          ? concat("problem.marginals.", i,
                                   ".shared is given, but problem.alpha = 1 leaves nothing to it")
                          : concat("problem.alpha = ", alpha, " needs problem.marginals.", i,
                                   ".shared = \"s.npy\", features in the space of both"));
  }
}

void load_features(const ProblemConfig& config, const Problem& problem, EgwTerms& terms,
                   Context& context) {
  std::vector<data::Marginal> features;
  collectively(context.world, "loading the shared features", [&] {
    for (std::size_t i = 0; i < 2; ++i) {
      features.push_back(data::load_features(config.marginals[i]));
      if (features[i].n() != problem.n(i) || features[i].d() != features[0].d()) {
        throw DataError(concat(features[i].name(), " holds ", features[i].n(), " features of ",
                               features[i].d(), " coordinates; expected one for each of the ",
                               problem.n(i), " points of marginal ", i, ", of ", features[0].d(),
                               " coordinates"));
      }
      const Shard share = shard_of(problem.n(i), context.world.rank(), context.world.size());
      const std::string bad = data::find_nonfinite(features[i], share.first, share.last);
      if (!bad.empty()) throw DataError(bad);
    }
  });
  for (data::Marginal& each : features) {
    terms.shared.push_back(space_of(cloud_of(std::move(each), context.world), context.world));
  }
}

/// Under the product of the marginals: of alpha times the distortion and 1 - alpha times |s - t|^2.
double mean_cost(const Distortion& distortion, const EgwTerms& terms) {
  const double mean =
      terms.alpha * distortion.mean(terms.spaces[0].moments, terms.spaces[1].moments);
  if (terms.alpha == 1) return mean;
  return mean +
         (1 - terms.alpha) * mean_square_distance(terms.shared[0].moments, terms.shared[1].moments);
}

void load(const ProblemConfig& config, Problem& problem, Context& context) {
  auto& terms = std::get<EgwTerms>(problem.terms);
  if (terms.alpha < 1) load_features(config, problem, terms, context);
  for (const Cloud& cloud : problem.clouds) {
    terms.spaces.push_back(space_of(cloud, context.world));
  }
  const Distortion& distortion = distortion_named(problem.cost.name);
  problem.statistics.mean = mean_cost(distortion, terms);
  if (!problem.rule.relative.empty()) {
    problem.epsilon = problem.rule.scale * problem.statistics.mean;
  }
  problem.reference = closed_form_of_distortion(config, problem.epsilon);
  if (problem.epsilon > 0 && std::isfinite(problem.epsilon)) return;
  fail_on_all_ranks(
      context.world,
      ConfigError(concat("problem.epsilon is relative to the mean distortion, which is ",
                         problem.statistics.mean, "; give a positive number instead")));
}

}  // namespace

const KindEntry kEgwKind = {"egw",     "entropic Gromov-Wasserstein between two spaces",
                            2,         2,
                            false,     kDistortionNames,
                            &describe, &check,
                            &load,     &sizes_of_clouds,
                            true};

}  // namespace kantor
