#include "solvers/problem/cloud.hpp"

#include <utility>

#include "distributed/shards.hpp"
#include "runtime/data/moments.hpp"

namespace kantor {

Cloud cloud_of(data::Marginal marginal, Communicator& world) {
  const Shard share = shard_of(marginal.n(), world.rank(), world.size());
  std::vector<double> mean = data::partial_mean(marginal, share.first, share.last);
  world.all_reduce<double>(mean, ReduceOp::sum, "means");
  return {std::move(marginal), std::move(mean)};
}

std::vector<double> midpoint(const Cloud& x, const Cloud& y) {
  std::vector<double> centre(x.mean.size());
  for (std::size_t k = 0; k < centre.size(); ++k) centre[k] = (x.mean[k] + y.mean[k]) / 2;
  return centre;
}

}  // namespace kantor
