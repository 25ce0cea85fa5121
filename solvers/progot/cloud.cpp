#include "solvers/progot/cloud.hpp"

#include <algorithm>

#include "distributed/collectively.hpp"
#include "runtime/core/index.hpp"
#include "runtime/data/row_sources.hpp"
#include "solvers/eot/entropic_map.hpp"

namespace kantor::progot {

namespace {

template <class T>
std::vector<double> gradients(const ShardedPairs<T>& points, const kernels::Cost& cost,
                              std::span<const double> potential, Context& context) {
  std::vector<double> soft_minima(points.a().size());
  if (points.is_on_device() && cost.kind != kernels::CostKind::pnorm) {
    std::vector<double> averages(index(points.x().n * points.x().d));
    points.transform_to_x(potential, soft_minima, averages);
    return gradients_of_averages<T>(points.x(), std::move(averages));
  }
  std::vector<double> result;
  collectively(context.world, "moving the points", [&] {
    result = mean_gradients<T>(points.over_y(potential), cost, points.x(), points.y(), context.pool,
                               soft_minima);
  });
  return result;
}

}  // namespace

std::vector<double> own_rows(const Pair& source, const Communicator& world) {
  const Shard share = shard_of(source.n(0), world.rank(), world.size());
  std::vector<double> rows(index(share.count() * source.d()));
  source.x.marginal.read_range<double>(share.first, share.count(), {}, rows.data());
  return rows;
}

std::vector<double> whole_cloud(const Pair& source, bool everywhere, Communicator& world) {
  constexpr std::int64_t kBlockValues = 1 << 18;  // per rank and message
  const std::int64_t d = source.d();
  const Shard share = shard_of(source.n(0), world.rank(), world.size());
  const std::vector<double> rows = own_rows(source, world);
  const bool keeps = everywhere || world.rank() == 0;
  std::vector<double> cloud(keeps ? index(source.n(0) * d) : 0);
  const std::int64_t block = std::clamp<std::int64_t>(kBlockValues / d, 1, share.slots);
  std::vector<double> part(index(block * d));
  std::vector<double> parts(part.size() * index(world.size()));
  for (std::int64_t first = 0; first < share.slots; first += block) {
    const std::int64_t count = std::clamp<std::int64_t>(share.count() - first, 0, block);
    std::copy_n(rows.data() + std::min(first, share.count()) * d, count * d, part.data());
    world.all_gather<double>(part, parts, "points");
    for (int rank = 0; keeps && rank < world.size(); ++rank) {
      const Shard theirs = shard_of(source.n(0), rank, world.size());
      const std::int64_t given = std::clamp<std::int64_t>(theirs.count() - first, 0, block);
      std::copy_n(parts.data() + rank * block * d, given * d,
                  cloud.data() + std::min(theirs.first + first, source.n(0)) * d);
    }
  }
  return cloud;
}

Pair whole_self_pair(const Pair& source, Communicator& world) {
  const data::Marginal& first = source.x.marginal;
  Pair self = source;
  self.y.marginal = {first.name(),
                     data::memory_rows(whole_cloud(source, true, world), first.n(), first.d()),
                     {},
                     1,
                     first.is_weighted() ? first.weights() : std::vector<double>(),
                     first.holdout(),
                     first.fingerprint()};
  self.y.mean = self.x.mean;
  return self;
}

template <class T>
Pair moved(const Pair& source, const ShardedPairs<T>& points, const SolvedStep& step,
           const EpsilonConfig& rule, const std::string& where, Context& context) {
  std::vector<double> moves = gradients(points, source.cost.kernel, step.g, context);
  if (!step.f_self.empty()) {
    const ShardedPairs<T> self(whole_self_pair(source, context.world), {}, Storage::streamed,
                               context);
    const std::vector<double> bias = gradients(self, source.cost.kernel, step.f_self, context);
    for (std::size_t i = 0; i < moves.size(); ++i) moves[i] -= bias[i];
  }
  to_displacements(source.cost.kernel, moves);
  std::vector<double> rows = own_rows(source, context.world);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] -= step.alpha * moves[i];
  return moved_pair(source, std::move(rows), rule, where, context);
}

template Pair moved(const Pair&, const ShardedPairs<float>&, const SolvedStep&,
                    const EpsilonConfig&, const std::string&, Context&);
template Pair moved(const Pair&, const ShardedPairs<double>&, const SolvedStep&,
                    const EpsilonConfig&, const std::string&, Context&);

}  // namespace kantor::progot
