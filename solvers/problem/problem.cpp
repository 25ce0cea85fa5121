#include "solvers/problem/problem.hpp"

#include <array>
#include <cmath>
#include <limits>
#include <span>

#include "distributed/shards.hpp"
#include "runtime/config/convert.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/coordinate_range.hpp"
#include "runtime/data/moments.hpp"
#include "runtime/data/row_sources.hpp"
#include "solvers/problem/closed_forms.hpp"
#include "solvers/problem/cost_file.hpp"
#include "solvers/problem/cost_statistics.hpp"
#include "solvers/problem/number_range.hpp"
#include "solvers/problem/open_marginals.hpp"

namespace kantor {

namespace {

struct CostName {
  const char* name;
  kernels::CostKind kind;
};
constexpr std::array kCosts = {CostName{"sqeuclidean", kernels::CostKind::sqeuclidean},
                               CostName{"half_sqeuclidean", kernels::CostKind::half_sqeuclidean},
                               CostName{"dot", kernels::CostKind::dot},
                               CostName{"euclidean", kernels::CostKind::euclidean},
                               CostName{"pnorm", kernels::CostKind::pnorm}};
constexpr const char* kCosine = "cosine";
constexpr const char* kMatrix = "matrix";

std::vector<std::string> cost_names() {
  std::vector<std::string> names;
  for (const CostName& cost : kCosts) names.emplace_back(cost.name);
  names.emplace_back(kCosine);
  names.emplace_back(kMatrix);
  return names;
}

double number_of(const config::Value& value, const std::string& where) {
  if (const auto* real = std::get_if<double>(&value.data)) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&value.data))
    return static_cast<double>(*whole);
  throw ConfigError(concat(where, " is ", value.type_name(),
                           "; expected a number, or { relative = \"mean\", scale = 0.05 }"));
}

constexpr const char* kEpsilon = "a number, or { relative = \"mean\" | \"std\", scale = 0.05 }";

/// The two forms of epsilon. That it is missing is said after a misspelt key has been.
void describe_epsilon(config::Fields& fields, EpsilonConfig& epsilon) {
  const config::Value* given = fields.raw("epsilon", kEpsilon);
  epsilon.is_given = given != nullptr;
  if (!epsilon.is_given) return;
  if (!given->is_table()) {
    epsilon.value = number_of(*given, fields.where("epsilon"));
    fields.resolve_raw("epsilon", {epsilon.value, given->origin, ""});
    return;
  }
  config::Table resolved;
  config::Fields inner(given, "problem.epsilon", resolved);
  inner.add_choice("relative", epsilon.relative, {"mean", "std"}, "of the cost under the product");
  inner.add("scale", epsilon.scale, "epsilon = scale * statistic");
  inner.refuse_unknown();
  if (epsilon.relative.empty()) {
    throw ConfigError(concat(fields.where("epsilon"), " lacks relative = \"mean\" | \"std\""));
  }
  fields.resolve_raw("epsilon", {resolved, given->origin, ""});
}

/// One penalty for both marginals, or one each; not given = both held exactly.
void describe_rho(config::Fields& fields, Penalty& rho) {
  constexpr const char* kMeaning =
      "KL penalty of the marginals: one number, or [rho of x, rho of y]; inf = held exactly";
  const config::Value* given = fields.raw("rho", kMeaning);
  if (given == nullptr) {
    fields.resolve_raw("rho", {rho.x, "default", ""});
    return;
  }
  const std::string where = fields.where("rho");
  if (const auto* both = std::get_if<config::Array>(&given->data)) {
    if (both->size() != 2) {
      throw ConfigError(concat(where, " has ", both->size(), " numbers; expected ", kMeaning));
    }
    rho.x = config::as_any_number((*both)[0], where, kMeaning);
    rho.y = config::as_any_number((*both)[1], where, kMeaning);
  } else {
    rho.x = rho.y = config::as_any_number(*given, where, kMeaning);
  }
}

void check_dimensions(const std::vector<data::Marginal>& marginals) {
  const std::int64_t d = marginals.front().d();
  for (const data::Marginal& marginal : marginals) {
    if (marginal.d() != d) {
      throw DataError(concat("points of ", marginals.front().name(), " have ", d,
                             " coordinates and those of ", marginal.name(), " have ", marginal.d(),
                             "; the cost needs the same number"));
    }
  }
}

/// Every rank scans its share of the rows. @param find data::find_nonfinite or its like.
template <class Find>
void check_rows(const std::vector<data::Marginal>& marginals, const Communicator& world,
                const Find& find) {
  for (const data::Marginal& marginal : marginals) {
    const Shard share = shard_of(marginal.n(), world.rank(), world.size());
    const std::string found = find(marginal, share.first, share.last);
    if (!found.empty()) throw DataError(found);
  }
}

/// Coordinates up to it have costs that double can hold, and sums of them over the coordinates.
double largest_coordinate(const ProblemConfig& config, std::int64_t d) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  if (config.cost == kCosine) return kLargest;
  const double power = config.cost == "pnorm" ? config.p : 2;
  return std::pow(kLargest / static_cast<double>(4 * d), 1 / power) / 2;
}

/// Ranks that see different files would train on nonsense.
void check_same_data(const std::vector<data::Marginal>& marginals, Communicator& world) {
  std::vector<std::int64_t> mine;
  for (const data::Marginal& marginal : marginals) {
    mine.push_back(static_cast<std::int64_t>(marginal.fingerprint()));
    mine.push_back(marginal.n());
    mine.push_back(marginal.d());
  }
  std::vector<std::int64_t> all(mine.size() * static_cast<std::size_t>(world.size()));
  world.all_gather<std::int64_t>(mine, all, "data fingerprints");
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i] == all[i % mine.size()]) continue;
    const std::size_t rank = i / mine.size();
    const std::size_t marginal = i % mine.size() / 3;
    fail_on_all_ranks(
        world,
        ConfigError(concat("rank ", rank, " does not see the same data as rank 0 in ",
                           marginals[marginal].name(), "; all ranks must read identical files")));
  }
}

/// sum_i a_i x_i over all ranks.
std::vector<double> mean_of(const data::Marginal& marginal, Communicator& world) {
  const Shard share = shard_of(marginal.n(), world.rank(), world.size());
  std::vector<double> mean = data::partial_mean(marginal, share.first, share.last);
  world.all_reduce<double>(mean, ReduceOp::sum, "means");
  return mean;
}

/// The midpoint of the means.
void set_centre(Problem& problem) {
  problem.centre.resize(static_cast<std::size_t>(problem.d()));
  for (std::size_t k = 0; k < problem.centre.size(); ++k) {
    problem.centre[k] = (problem.means[0][k] + problem.means[1][k]) / 2;
  }
}

/// Mean cost, and epsilon by its rule. @param where in a message.
void set_epsilon(Problem& problem, const std::string& where, Context& context) {
  const EpsilonConfig& rule = problem.epsilon_rule;
  const bool needs_std = rule.relative == "std";
  const CostStatistics statistics = cost_statistics(problem, needs_std, context);
  problem.mean_cost =
      problem.has_forbidden_pairs ? std::numeric_limits<double>::quiet_NaN() : statistics.mean;
  if (rule.relative.empty()) return;
  const double scale = needs_std ? statistics.standard_deviation : statistics.mean;
  if (problem.has_forbidden_pairs) {
    fail_on_all_ranks(
        context.world,
        ConfigError(concat("problem.epsilon is relative to the ", rule.relative,
                           " of the cost, which forbidden pairs (inf) make infinite; give a "
                           "positive number instead")));
  }
  problem.epsilon = rule.scale * scale;
  if (!(problem.epsilon > 0 && std::isfinite(problem.epsilon))) {
    fail_on_all_ranks(context.world,
                      ConfigError(concat("problem.epsilon is relative to the ", rule.relative,
                                         " of the cost, which is ", scale, " ", where,
                                         "; give a positive number instead")));
  }
}

}  // namespace

kernels::CostKind cost_kind(const std::string& name) {
  if (name == kCosine) return kernels::CostKind::half_sqeuclidean;  // of unit vectors
  for (const CostName& cost : kCosts) {
    if (name == cost.name) return cost.kind;
  }
  throw ConfigError(concat("unknown cost \"", name, "\""));
}

std::string cost_name(kernels::CostKind kind) {
  for (const CostName& cost : kCosts) {
    if (kind == cost.kind) return cost.name;
  }
  throw ValueError("unknown cost");
}

std::string cost_name(const Problem& problem) {
  if (problem.cost_matrix) return kMatrix;
  return problem.has_unit_points ? kCosine : cost_name(problem.cost.kind);
}

void ProblemConfig::describe(config::Fields& fields) {
  fields.add_choice("kind", kind, {"eot"}, "entropic optimal transport between two marginals");
  fields.add_choice("cost", cost, cost_names(), "c(x, y)");
  fields.add("p", p, "exponent of pnorm");
  fields.add_path("cost_file", cost_file, "of cost \"matrix\": .npy of all costs, [n, m]");
  describe_epsilon(fields, epsilon);
  describe_rho(fields, rho);
  fields.add_list("marginals", marginals, "one table [[problem.marginals]] each");
}

void ProblemConfig::check() const {
  if (!epsilon.is_given) {
    throw ConfigError(concat("problem.epsilon is missing; expected ", kEpsilon));
  }
  if (epsilon.relative.empty() && !(epsilon.value > 0 && std::isfinite(epsilon.value))) {
    throw ConfigError(concat("problem.epsilon is ", epsilon.value, "; expected a positive number"));
  }
  if (!epsilon.relative.empty() && !(epsilon.scale > 0 && std::isfinite(epsilon.scale))) {
    throw ConfigError(
        concat("problem.epsilon.scale is ", epsilon.scale, "; expected a positive number"));
  }
  for (const double each : {rho.x, rho.y}) {
    if (!(each > 0)) {
      throw ConfigError(concat("problem.rho is ", each,
                               "; expected a positive number, or inf for an exact marginal"));
    }
  }
  if (cost == "pnorm" && !(p > 1 && std::isfinite(p))) {
    throw ConfigError(concat("problem.p is ", p, "; expected an exponent above 1"));
  }
  const bool is_matrix = cost == kMatrix;
  if (is_matrix != !cost_file.empty()) {
    throw ConfigError(is_matrix
                          ? "problem.cost = \"matrix\" needs problem.cost_file = \"C.npy\""
                          : "problem.cost_file is given; set problem.cost = \"matrix\" to use it");
  }
  if (marginals.size() != 2 && !(is_matrix && marginals.empty())) {
    throw ConfigError(concat("problem.kind = \"eot\" needs two [[problem.marginals]], but ",
                             marginals.size(), marginals.size() == 1 ? " is" : " are", " given"));
  }
  for (const data::MarginalConfig& marginal : marginals) {
    is_matrix ? marginal.check_weights_alone() : marginal.check();
  }
}

Problem load_problem(const ProblemConfig& config, Context& context) {
  Communicator& world = context.world;
  Problem problem;
  problem.kind = config.kind;
  if (config.cost != kMatrix) problem.cost = {cost_kind(config.cost), config.p};
  problem.rho = config.rho;
  collectively(world, "loading the marginals", [&] {
    open_marginals(config, problem);
    if (!problem.cost_matrix) check_dimensions(problem.marginals);
  });
  check_same_data(problem.marginals, world);
  if (problem.cost_matrix) {
    problem.has_forbidden_pairs = check_costs(problem, config.cost_file, world);
  }
  collectively(world, "checking the values", [&] {
    if (problem.cost_matrix) return;
    const double largest = largest_coordinate(config, problem.d());
    check_rows(problem.marginals, world,
               [&](const data::Marginal& marginal, std::int64_t first, std::int64_t last) {
                 return data::find_beyond(marginal, first, last, largest);
               });
    if (config.cost == kCosine) check_rows(problem.marginals, world, data::find_zero_row);
  });
  if (config.cost == kCosine) {
    problem.has_unit_points = true;
    for (data::Marginal& marginal : problem.marginals) marginal = marginal.on_unit_sphere();
  }

  for (const data::Marginal& marginal : problem.marginals) {
    problem.means.push_back(mean_of(marginal, world));
  }
  set_centre(problem);
  problem.epsilon = config.epsilon.value;
  problem.epsilon_rule = config.epsilon;
  set_epsilon(problem, "here", context);
  check_number_range(problem, context);
  problem.reference = closed_form(config, problem.epsilon);
  return problem;
}

void check_unchanged(const Problem& problem) {
  for (const data::Marginal& marginal : problem.marginals) marginal.check_unchanged();
  if (!problem.cost_matrix) return;
  const std::string& name = problem.marginals[0].name();  // tells the file
  data::Marginal{name, problem.cost_matrix, {}, 1, {}, 0, 0}.check_unchanged();
}

Problem with_moved_rows(const Problem& problem, std::vector<double> rows, const std::string& where,
                        Context& context) {
  const data::Marginal& first = problem.marginals[0];
  const Shard share = shard_of(first.n(), context.world.rank(), context.world.size());
  Problem moved = problem;
  moved.reference.reset();
  moved.marginals[0] = {first.name() + ", moved",
                        data::partial_rows(std::move(rows), share.first, first.n(), first.d()),
                        {},
                        1,
                        first.is_weighted() ? first.weights() : std::vector<double>(),
                        first.holdout(),
                        first.fingerprint()};
  moved.means[0] = mean_of(moved.marginals[0], context.world);
  set_centre(moved);
  if (!problem.epsilon_rule.relative.empty()) set_epsilon(moved, where, context);
  return moved;
}

}  // namespace kantor
