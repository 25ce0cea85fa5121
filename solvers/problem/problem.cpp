#include "solvers/problem/problem.hpp"

#include <cmath>
#include <limits>
#include <span>
#include <utility>

#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/coordinate_range.hpp"
#include "solvers/problem/cost_file.hpp"
#include "solvers/problem/kind.hpp"
#include "solvers/problem/open_marginals.hpp"

namespace kantor {

namespace {

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
double largest_coordinate(const GroundCost& cost, const KindEntry& kind, std::int64_t d) {
  constexpr double kLargest = std::numeric_limits<double>::max();
  if (cost.on_unit_sphere) return kLargest;
  const double power = cost.kernel.kind == kernels::CostKind::pnorm ? cost.kernel.p
                       : kind.is_in_one_space                       ? 2
                                                                    : 4;  // a square of squares
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

/// Opened, the same on all ranks, and every value looked at.
/// @param[in,out] cost its file is opened, if it has one.
std::vector<data::Marginal> load_marginals(const ProblemConfig& config, const KindEntry& kind,
                                           GroundCost& cost, Communicator& world) {
  std::vector<data::Marginal> marginals;
  collectively(world, "loading the marginals", [&] {
    marginals = open_marginals(config, cost);
    if (kind.is_in_one_space && !cost.file) check_dimensions(marginals);
  });
  check_same_data(marginals, world);
  if (cost.file) {
    cost.has_forbidden_pairs =
        check_costs(*cost.file, marginals[0], marginals[1], config.cost_file, world);
    return marginals;
  }
  collectively(world, "checking the values", [&] {
    check_rows(marginals, world,
               [&](const data::Marginal& marginal, std::int64_t first, std::int64_t last) {
                 return data::find_beyond(marginal, first, last,
                                          largest_coordinate(cost, kind, marginal.d()));
               });
    if (cost.on_unit_sphere) check_rows(marginals, world, data::find_zero_row);
  });
  if (cost.on_unit_sphere) {
    for (data::Marginal& marginal : marginals) marginal = marginal.on_unit_sphere();
  }
  return marginals;
}

}  // namespace

Problem load_problem(const ProblemConfig& config, Context& context) {
  const KindEntry& kind = kind_named(config.kind);
  Problem problem;
  problem.kind = &kind;
  problem.cost = ground_cost(config.cost, config.p);
  problem.rule = config.epsilon;
  problem.epsilon = config.epsilon.value;
  problem.terms = config.terms;
  for (data::Marginal& marginal : load_marginals(config, kind, problem.cost, context.world)) {
    problem.clouds.push_back(cloud_of(std::move(marginal), context.world));
  }
  if (kind.load != nullptr) kind.load(config, problem, context);
  return problem;
}

void check_unchanged(const Problem& problem) {
  for (const Cloud& cloud : problem.clouds) cloud.marginal.check_unchanged();
  if (const auto* egw = std::get_if<EgwTerms>(&problem.terms)) {
    for (const Space& shared : egw->shared) shared.cloud.marginal.check_unchanged();
  }
  if (!problem.cost.file) return;
  const std::string& name = problem.clouds[0].marginal.name();  // tells the file
  data::Marginal{name, problem.cost.file, {}, 1, {}, 0, 0}.check_unchanged();
}

}  // namespace kantor
