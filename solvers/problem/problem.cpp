#include "solvers/problem/problem.hpp"

#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "distributed/shards.hpp"
#include "runtime/config/convert.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/coordinate_range.hpp"
#include "solvers/problem/closed_forms.hpp"
#include "solvers/problem/cost_file.hpp"
#include "solvers/problem/number_range.hpp"
#include "solvers/problem/open_marginals.hpp"

namespace kantor {

namespace {

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
double largest_coordinate(const GroundCost& cost, std::int64_t d) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  if (cost.on_unit_sphere) return kLargest;
  const double power = cost.kernel.kind == kernels::CostKind::pnorm ? cost.kernel.p : 2;
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

}  // namespace

void ProblemConfig::describe(config::Fields& fields) {
  fields.add_choice("kind", kind, {"eot"}, "entropic optimal transport between two marginals");
  fields.add_choice("cost", cost, cost_names(), "c(x, y)");
  fields.add("p", p, "exponent of pnorm");
  fields.add_path("cost_file", cost_file, "of cost \"matrix\": .npy of all costs, [n, m]");
  epsilon.describe(fields);
  describe_rho(fields, rho);
  fields.add_list("marginals", marginals, "one table [[problem.marginals]] each");
}

void ProblemConfig::check() const {
  epsilon.check();
  for (const double each : {rho.x, rho.y}) {
    if (!(each > 0)) {
      throw ConfigError(concat("problem.rho is ", each,
                               "; expected a positive number, or inf for an exact marginal"));
    }
  }
  if (cost == "pnorm" && !(p > 1 && std::isfinite(p))) {
    throw ConfigError(concat("problem.p is ", p, "; expected an exponent above 1"));
  }
  const bool is_matrix = cost == kMatrixCost;
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
  GroundCost cost = ground_cost(config.cost, config.p);
  std::vector<data::Marginal> marginals;
  collectively(world, "loading the marginals", [&] {
    marginals = open_marginals(config, cost);
    if (!cost.file) check_dimensions(marginals);
  });
  check_same_data(marginals, world);
  if (cost.file) {
    cost.has_forbidden_pairs =
        check_costs(*cost.file, marginals[0], marginals[1], config.cost_file, world);
  }
  collectively(world, "checking the values", [&] {
    if (cost.file) return;
    const double largest = largest_coordinate(cost, marginals.front().d());
    check_rows(marginals, world,
               [&](const data::Marginal& marginal, std::int64_t first, std::int64_t last) {
                 return data::find_beyond(marginal, first, last, largest);
               });
    if (cost.on_unit_sphere) check_rows(marginals, world, data::find_zero_row);
  });

  Problem problem;
  problem.kind = config.kind;
  problem.cost = std::move(cost);
  problem.rule = config.epsilon;
  problem.rho = config.rho;
  for (data::Marginal& marginal : marginals) {
    if (problem.cost.on_unit_sphere) marginal = marginal.on_unit_sphere();
    problem.clouds.push_back(cloud_of(std::move(marginal), world));
  }
  const Cloud& x = problem.clouds[0];
  const Cloud& y = problem.clouds[1];
  const Epsilon epsilon = resolve_epsilon(problem.rule, problem.cost, x, y, "here", context);
  problem.epsilon = epsilon.value;
  problem.statistics = epsilon.statistics;
  check_number_range(problem.cost, x, y, problem.epsilon, context);
  problem.reference = closed_form(config, problem.epsilon);
  return problem;
}

void check_unchanged(const Problem& problem) {
  for (const Cloud& cloud : problem.clouds) cloud.marginal.check_unchanged();
  if (!problem.cost.file) return;
  const std::string& name = problem.clouds[0].marginal.name();  // tells the file
  data::Marginal{name, problem.cost.file, {}, 1, {}, 0, 0}.check_unchanged();
}

}  // namespace kantor
