#include "solvers/neural/initial_potential.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "distributed/device.hpp"
#include "distributed/shards.hpp"
#include "runtime/data/moments.hpp"

namespace kantor::neural {

namespace {

/// Standard deviations of marginal 0, floored so that constant coordinates do not blow up.
std::vector<double> deviations(const Pair& pair, Communicator& world) {
  constexpr double kFloor = 0.1;  // of the root mean square over coordinates
  const data::Marginal& marginal = pair.x.marginal;
  const Shard share = shard_of(marginal.n(), world.rank(), world.size());
  std::vector<double> result =
      data::partial_central_sums(marginal, share.first, share.last, pair.x.mean, false).variances;
  world.all_reduce<double>(result, ReduceOp::sum, "variances");
  double mean_square = 0;
  for (const double variance : result) mean_square += variance / static_cast<double>(result.size());
  const double floor = mean_square > 0 ? kFloor * std::sqrt(mean_square) : 1;
  for (double& value : result) value = std::max(std::sqrt(value), floor);
  return result;
}

}  // namespace

Potential initial_potential(const NetworkConfig& config, const Pair& pair, Context& context) {
  constexpr std::int64_t kMaxRank = 256;
  PotentialInputs inputs;
  inputs.d = pair.d();
  inputs.mean = pair.x.mean;
  inputs.deviation = deviations(pair, context.world);
  inputs.output_scale = pair.epsilon;
  inputs.gaussian.scale = 0;
  if (config.quadratic && has_gaussian_form(pair.cost.kernel.kind)) {
    inputs.gaussian =
        gaussian_potential(pair.x, pair.y, pair.cost.kernel.kind, pair.epsilon, kMaxRank, context);
  }
  const at::Device device = device_of(context.run, context.world);
  const auto options =
      torch::TensorOptions(context.run.is_double() ? torch::kFloat64 : torch::kFloat32)
          .device(device);
  return {config, std::move(inputs), pair.centre, options,
          static_cast<std::uint64_t>(context.run.seed)};
}

}  // namespace kantor::neural
