#include "solvers/problem/cost_statistics.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <span>

#include "distributed/shards.hpp"
#include "runtime/data/moments.hpp"

namespace kantor {

namespace {

using kernels::CostKind;

double dot(std::span<const double> x, std::span<const double> y) {
  return std::inner_product(x.begin(), x.end(), y.begin(), 0.0);
}

/// v^T A v. @param a [D, D].
double quadratic_form(std::span<const double> a, std::span<const double> v) {
  double sum = 0;
  for (std::size_t k = 0; k < v.size(); ++k)
    sum += v[k] * dot(a.subspan(k * v.size(), v.size()), v);
  return sum;
}

data::CentralSums central_sums(const Cloud& cloud, bool with_covariance, Communicator& world) {
  const Shard share = shard_of(cloud.n(), world.rank(), world.size());
  data::CentralSums sums = data::partial_central_sums(cloud.marginal, share.first, share.last,
                                                      cloud.mean, with_covariance);
  std::vector<double> scalars = {sums.square, sums.fourth};
  world.all_reduce<double>(scalars, ReduceOp::sum, "moments");
  sums.square = scalars[0];
  sums.fourth = scalars[1];
  world.all_reduce<double>(sums.third, ReduceOp::sum, "third moments");
  if (with_covariance) world.all_reduce<double>(sums.covariance, ReduceOp::sum, "covariance");
  return sums;
}

/// |x - y|^2 with x = a + x', y = b + y', delta = a - b: the cross terms of x' and y' vanish in the
/// mean, and in the variance only <x', y'> remains, 4 tr(A B).
CostStatistics of_square(const Cloud& first, const Cloud& second, bool with_std,
                         Communicator& world) {
  std::vector<double> delta(first.mean);
  for (std::size_t k = 0; k < delta.size(); ++k) delta[k] -= second.mean[k];
  const data::CentralSums x = central_sums(first, with_std, world);
  const data::CentralSums y = central_sums(second, with_std, world);
  CostStatistics statistics{.mean = x.square + y.square + dot(delta, delta)};
  if (with_std) {
    // Var(|x'|^2 + 2 sign delta.x')
    const auto own = [&](const data::CentralSums& sums, double sign) {
      return sums.fourth - sums.square * sums.square + 4 * quadratic_form(sums.covariance, delta) +
             4 * sign * dot(delta, sums.third);
    };
    const double variance = own(x, 1) + own(y, -1) + 4 * dot(x.covariance, y.covariance);
    statistics.standard_deviation = std::sqrt(std::max(variance, 0.0));
  }
  return statistics;
}

/// -<x, y>: variance b^T A b + a^T B a + tr(A B).
CostStatistics of_dot(const Cloud& first, const Cloud& second, bool with_std, Communicator& world) {
  CostStatistics statistics{.mean = -dot(first.mean, second.mean)};
  if (with_std) {
    const data::CentralSums x = central_sums(first, true, world);
    const data::CentralSums y = central_sums(second, true, world);
    const double variance = quadratic_form(x.covariance, second.mean) +
                            quadratic_form(y.covariance, first.mean) +
                            dot(x.covariance, y.covariance);
    statistics.standard_deviation = std::sqrt(std::max(variance, 0.0));
  }
  return statistics;
}

/// Sums over the costs of some pairs: deviations are from their own mean, so that nothing cancels
/// however far from 0 all of them are. Source: Chan, Golub & LeVeque 1983.
struct Spread {
  double mass = 0;
  double sum = 0;     ///< of mass times cost
  double square = 0;  ///< of mass times (cost - mean)^2

  double mean() const { return mass > 0 ? sum / mass : 0; }
  void add(const Spread& other) {
    const double both = mass + other.mass;
    const double distance = mean() - other.mean();
    square += other.square + (both > 0 ? distance * distance * mass * (other.mass / both) : 0);
    mass = both;
    sum += other.sum;
  }
};

/// Sums over a row of weight a. @param b, costs [M].
Spread spread_of(double a, std::span<const double> b, std::span<const double> costs) {
  Spread row;
  for (std::size_t j = 0; j < b.size(); ++j) {
    row.mass += b[j];
    row.sum += b[j] * costs[j];
  }
  const double mean = row.mean();
  for (std::size_t j = 0; j < b.size(); ++j) {
    row.square += b[j] * (costs[j] - mean) * (costs[j] - mean);
  }
  return {a * row.mass, a * row.sum, a * row.square};
}

/// @param mine of this rank's pairs.
CostStatistics over_ranks(const Spread& mine, Communicator& world) {
  std::vector<double> totals = {mine.mass, mine.sum};
  world.all_reduce<double>(totals, ReduceOp::sum, "mean cost");
  const double distance = mine.mean() - Spread{totals[0], totals[1], 0}.mean();
  double square = mine.square + mine.mass * distance * distance;
  world.all_reduce<double>(std::span<double>(&square, 1), ReduceOp::sum, "spread of the costs");
  return {totals[1], std::sqrt(square)};
}

/// Any cost: rows of X are shared by the ranks, panels of costs are made and dropped.
CostStatistics streamed(const kernels::Cost& kernel, const Cloud& first, const Cloud& second,
                        Context& context) {
  constexpr std::int64_t kPanelRows = 16;
  const Shard share = shard_of(first.n(), context.world.rank(), context.world.size());
  const std::int64_t m = second.n();
  const std::int64_t d = first.d();
  const std::vector<double> centre = midpoint(first, second);
  std::vector<double> x(static_cast<std::size_t>(share.count() * d));
  std::vector<double> y(static_cast<std::size_t>(m * d));
  first.marginal.read_range(share.first, share.count(), centre, x.data());
  second.marginal.read_range(0, m, centre, y.data());
  const auto cost = kernels::streamed_cost<double>(kernel, {x.data(), share.count(), d},
                                                   {y.data(), m, d}, centre);
  const std::vector<double> b = second.marginal.weights();

  std::vector<Spread> panels(
      static_cast<std::size_t>((share.count() + kPanelRows - 1) / kPanelRows));
  context.pool.for_each(std::ssize(panels), [&](std::int64_t panel) {
    const std::int64_t begin = panel * kPanelRows;
    const std::int64_t count = std::min(kPanelRows, share.count() - begin);
    std::vector<double> tile(static_cast<std::size_t>(count * m));
    cost->costs(begin, count, tile.data());
    for (std::int64_t r = 0; r < count; ++r) {
      panels[static_cast<std::size_t>(panel)].add(
          spread_of(first.marginal.weight(share.first + begin + r), b,
                    std::span(tile).subspan(static_cast<std::size_t>(r * m), b.size())));
    }
  });
  Spread mine;
  for (const Spread& panel : panels) mine.add(panel);
  return over_ranks(mine, context.world);
}

/// Costs from a file: rows are shared by the ranks.
CostStatistics from_file(const data::RowSource& file, const data::Marginal& x,
                         const data::Marginal& y, Communicator& world) {
  const Shard share = shard_of(x.n(), world.rank(), world.size());
  const std::vector<double> b = y.weights();
  std::vector<double> row(b.size());
  Spread mine;
  for (std::int64_t i = share.first; i < share.last; ++i) {
    file.read(std::span<const std::int64_t>(&i, 1), row.data());
    mine.add(spread_of(x.weight(i), b, row));
  }
  return over_ranks(mine, world);
}

}  // namespace

CostStatistics cost_statistics(const GroundCost& cost, const Cloud& x, const Cloud& y,
                               bool with_standard_deviation, Context& context) {
  Communicator& world = context.world;
  if (cost.file) return from_file(*cost.file, x.marginal, y.marginal, world);
  switch (cost.kernel.kind) {
    case CostKind::sqeuclidean:
      return of_square(x, y, with_standard_deviation, world);
    case CostKind::half_sqeuclidean: {
      const CostStatistics whole = of_square(x, y, with_standard_deviation, world);
      return {whole.mean / 2, whole.standard_deviation / 2};
    }
    case CostKind::dot:
      return of_dot(x, y, with_standard_deviation, world);
    case CostKind::euclidean:
    case CostKind::pnorm:
      return streamed(cost.kernel, x, y, context);
  }
  throw ValueError("unknown cost");
}

}  // namespace kantor
