#include "solvers/sinkhorn/warm_start.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/data/npy.hpp"
#include "solvers/problem/gaussian.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::sinkhorn {

namespace {

constexpr double kSubsampleTolerance = 1e-2;  // a sample is no nearer to the whole

/// scale ( square |z|^2 - |W^T z|^2 + 2 linear.z ), z = x - mean.
double value_at(const GaussianPotential& potential, std::span<const double> x) {
  const std::size_t rank = index(potential.rank);
  std::vector<double> projected(rank, 0.0);
  double value = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const double z = x[k] - potential.mean[k];
    value += potential.square * z * z + 2 * potential.linear[k] * z;
    for (std::size_t r = 0; r < rank; ++r) projected[r] += potential.factor[k * rank + r] * z;
  }
  for (const double each : projected) value -= each * each;
  return potential.scale * value;
}

template <class T>
std::vector<double> from_gaussians(const Pair& pair, const ShardedPairs<T>& points,
                                   Context& context) {
  constexpr std::int64_t kMaxRank = 256;
  const GaussianPotential potential =
      gaussian_potential(pair.x, pair.y, pair.cost.kernel.kind, pair.epsilon, kMaxRank, context);
  const Shard& rows = points.rows();
  std::vector<double> f(points.a().size());
  std::vector<double> x(index(pair.d()));
  for (std::size_t i = 0; i < f.size(); ++i) {
    pair.x.marginal.read_range<double>(rows.first + static_cast<std::int64_t>(i), 1, {}, x.data());
    f[i] = value_at(potential, x);
  }
  std::vector<double> g(index(points.m()));
  points.transform_to_y(f, g);
  return g;
}

/// c of the sums r_i + c_j nearest to the allowed costs, by turns of means: with pairs forbidden,
/// rows reach different columns, and what all pairs of a column cost would take iterations to fade.
template <class T>
std::vector<double> from_offsets(const ShardedPairs<T>& points, Context& context) {
  constexpr int kMostTurns = 100;
  std::vector<double> g(index(points.m()), 0.0);
  std::vector<T> costs(g.size());
  double change = points.epsilon() + 1;
  for (int turn = 0; turn < kMostTurns && change > points.epsilon(); ++turn) {
    std::vector<double> sums(2 * g.size());  // of C_ij - r_i, and how many they are
    for (std::size_t i = 0; i < points.a().size(); ++i) {
      points.over_y(g).cost.costs(static_cast<std::int64_t>(i), 1, costs.data());
      double sum = 0, count = 0;
      const auto for_each_allowed = [&](const auto& work) {
        for (std::size_t j = 0; j < g.size(); ++j) {
          if (points.a()[i] > 0 && points.b()[j] > 0 && std::isfinite(costs[j])) work(j);
        }
      };
      for_each_allowed([&](std::size_t j) { sum += costs[j] - g[j], count += 1; });
      for_each_allowed([&](std::size_t j) {
        sums[j] += costs[j] - sum / count;
        sums[g.size() + j] += 1;
      });
    }
    context.world.all_reduce<double>(sums, ReduceOp::sum, "offsets of the costs");
    change = 0;
    for (std::size_t j = 0; j < g.size(); ++j) {
      const double mean = sums[g.size() + j] > 0 ? sums[j] / sums[g.size() + j] : 0;
      change = std::max(change, std::abs(mean - g[j]));
      g[j] = mean;
    }
  }
  return g;
}

/// A run that is stopped here begins again. @throws Stopped.
template <class T>
std::vector<double> from_subsample(const SinkhornConfig& config, const Pair& pair,
                                   const ShardedPairs<T>& points, Context& context) {
  const Subset subset = evaluation_subset(pair, config.warm_start_points, context.run.seed);
  std::vector<double> g(index(points.m()), 0.0);
  if (subset.x.empty() && subset.y.empty()) {
    context.log.info(concat("no warm start: a subsample of ", config.warm_start_points,
                            " points (solver.sinkhorn.warm_start_points) would be the problem"));
    return g;
  }
  const Storage storage = storage_named(config.storage);
  const ShardedPairs<T> few(pair, subset, storage, context);
  std::vector<double> f;
  std::vector<double> few_g(index(few.m()), 0.0);
  Stopping stopping = config.stopping();
  stopping.tolerance = std::max(stopping.tolerance, kSubsampleTolerance);
  context.checkpoints.save({});
  Report report;
  try {
    report = iterate(few, stopping, f, few_g, context, "sinkhorn, subsample");
  } catch (const Stopped&) {
    throw Stopped(0);
  }
  context.log.info(concat("subsample of ", few.n(), " x ", few.m(), ": ", report.iterations,
                          " iterations, marginal error ", report.marginal_error));
  const ShardedPairs<T> to_all(pair, {subset.x, {}}, Storage::streamed, context);
  to_all.transform_to_y(f, g);
  return g;
}

}  // namespace

std::vector<double> read_start(const std::string& directory, std::int64_t m) {
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory, ignored)) {
    throw DataError(concat("solver.sinkhorn.warm_start: ", directory,
                           " is no folder; name a run directory, \"gaussian\" or \"subsample\""));
  }
  const auto second_in = [&](const char* inner) {
    return file_of(directory, concat(inner, "/1.npy"));
  };
  std::string path = second_in(run_files::kCertificate);
  if (!has_file(path)) path = second_in(run_files::kPotentials);
  std::vector<double> g = data::read_npy_vector(path);
  if (std::ssize(g) != m) {
    throw DataError(concat("solver.sinkhorn.warm_start: ", path, " has ", g.size(),
                           " values, but marginal 1 has ", m,
                           " points; name a run on the same marginals"));
  }
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (!std::isfinite(g[j])) {
      throw DataError(concat("solver.sinkhorn.warm_start: value ", j, " of ", path, " is ", g[j]));
    }
  }
  return g;
}

template <class T>
std::vector<double> warm_start(const SinkhornConfig& config, const Pair& pair,
                               const ShardedPairs<T>& points, Context& context) {
  std::vector<double> g(index(points.m()), 0.0);
  if (config.warm_start.empty()) {
    const bool has_offsets = points.has_forbidden_pairs() && points.penalty().is_balanced();
    return has_offsets ? from_offsets(points, context) : g;
  }
  if (config.warm_start == "gaussian" || config.warm_start == "subsample") {
    g = config.warm_start == "gaussian" ? from_gaussians(pair, points, context)
                                        : from_subsample(config, pair, points, context);
    for (double& value : g) value *= damping(pair.rho.y, pair.epsilon);
    return g;
  }
  collectively(context.world, "reading the warm start",
               [&] { g = read_start(config.warm_start, points.m()); });
  return g;
}

template std::vector<double> warm_start(const SinkhornConfig&, const Pair&,
                                        const ShardedPairs<float>&, Context&);
template std::vector<double> warm_start(const SinkhornConfig&, const Pair&,
                                        const ShardedPairs<double>&, Context&);

}  // namespace kantor::sinkhorn
