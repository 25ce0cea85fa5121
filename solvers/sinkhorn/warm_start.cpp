#include "solvers/sinkhorn/warm_start.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/data/npy.hpp"
#include "solvers/problem/gaussian.hpp"

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
std::vector<double> from_gaussians(const Problem& problem, const ShardedPairs<T>& points,
                                   Context& context) {
  constexpr std::int64_t kMaxRank = 256;
  const GaussianPotential potential = gaussian_potential(problem, kMaxRank, context);
  const Shard& rows = points.rows();
  std::vector<double> f(points.a().size());
  std::vector<double> x(index(problem.d()));
  for (std::size_t i = 0; i < f.size(); ++i) {
    problem.marginals[0].read_range<double>(rows.first + static_cast<std::int64_t>(i), 1, {},
                                            x.data());
    f[i] = value_at(potential, x);
  }
  std::vector<double> g(index(points.m()));
  points.transform_to_y(f, g);
  return g;
}

/// A run that is stopped here begins again. @throws Stopped.
template <class T>
std::vector<double> from_subsample(const SinkhornConfig& config, const Problem& problem,
                                   const ShardedPairs<T>& points, Context& context) {
  const Subset subset = evaluation_subset(problem, config.warm_start_points, context.run.seed);
  std::vector<double> g(index(points.m()), 0.0);
  if (subset.x.empty() && subset.y.empty()) {
    context.log.info(concat("no warm start: a subsample of ", config.warm_start_points,
                            " points (solver.sinkhorn.warm_start_points) would be the problem"));
    return g;
  }
  const Storage storage = storage_named(config.storage);
  const ShardedPairs<T> few(problem, subset, storage, context);
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
  const ShardedPairs<T> to_all(problem, {subset.x, {}}, Storage::streamed, context);
  to_all.transform_to_y(f, g);
  return g;
}

}  // namespace

std::vector<double> read_start(const std::string& directory, std::int64_t m) {
  const std::filesystem::path folder(directory);
  std::error_code ignored;
  if (!std::filesystem::is_directory(folder, ignored)) {
    throw DataError(concat("solver.sinkhorn.warm_start: ", directory,
                           " is no folder; name a run directory, \"gaussian\" or \"subsample\""));
  }
  const bool is_certified = std::filesystem::exists(folder / "certificate" / "1.npy", ignored);
  const std::string path =
      (folder / (is_certified ? "certificate" : "potentials") / "1.npy").string();
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
std::vector<double> warm_start(const SinkhornConfig& config, const Problem& problem,
                               const ShardedPairs<T>& points, Context& context) {
  std::vector<double> g(index(points.m()), 0.0);
  if (config.warm_start.empty() || is_under_way(context.checkpoints)) return g;
  if (config.warm_start == "gaussian" || config.warm_start == "subsample") {
    g = config.warm_start == "gaussian" ? from_gaussians(problem, points, context)
                                        : from_subsample(config, problem, points, context);
    for (double& value : g) value *= damping(problem.rho.y, problem.epsilon);
    return g;
  }
  collectively(context.world, "reading the warm start",
               [&] { g = read_start(config.warm_start, points.m()); });
  return g;
}

template std::vector<double> warm_start(const SinkhornConfig&, const Problem&,
                                        const ShardedPairs<float>&, Context&);
template std::vector<double> warm_start(const SinkhornConfig&, const Problem&,
                                        const ShardedPairs<double>&, Context&);

}  // namespace kantor::sinkhorn
