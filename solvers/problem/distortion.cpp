#include "solvers/problem/distortion.hpp"

#include <cmath>
#include <numeric>
#include <utility>

#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/data/moments.hpp"

namespace kantor {

namespace {

constexpr Distortion kQuadratic = {.weight = 32, .norms = 4, .is_centred = true};
constexpr Distortion kInnerProduct = {.weight = 8, .norms = 0, .is_centred = false};

double square_of(const std::vector<double>& values) {
  return std::inner_product(values.begin(), values.end(), values.begin(), 0.0);
}

double trace_of_second(const SpaceMoments& space, bool is_centred) {
  return space.square + (is_centred ? 0 : square_of(space.mean));
}

/// E d(x, x')^2 of the distance that is compared, squared lengths or inner products.
double own_term(const SpaceMoments& space, bool is_centred) {
  const double product = square_of(space.second(is_centred));
  if (!is_centred) return product;
  return 2 * space.fourth + 2 * space.square * space.square + 4 * product;
}

}  // namespace

std::vector<double> SpaceMoments::second(bool is_centred) const {
  std::vector<double> result = covariance;
  if (is_centred) return result;
  const std::size_t d = mean.size();
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < d; ++j) result[i * d + j] += mean[i] * mean[j];
  }
  return result;
}

Space space_of(Cloud cloud, Communicator& world) {
  const Shard share = shard_of(cloud.n(), world.rank(), world.size());
  data::CentralSums sums =
      data::partial_central_sums(cloud.marginal, share.first, share.last, cloud.mean, true);
  std::vector<double> totals = std::move(sums.covariance);
  totals.push_back(sums.square);
  totals.push_back(sums.fourth);
  world.all_reduce<double>(totals, ReduceOp::sum, "moments");
  SpaceMoments moments;
  moments.mean = cloud.mean;
  moments.fourth = totals.back();
  totals.pop_back();
  moments.square = totals.back();
  totals.pop_back();
  moments.covariance = std::move(totals);
  return {std::move(cloud), std::move(moments)};
}

double mean_square_distance(const SpaceMoments& x, const SpaceMoments& y) {
  double sum = x.square + y.square;
  for (std::size_t k = 0; k < x.mean.size(); ++k) {
    sum += (x.mean[k] - y.mean[k]) * (x.mean[k] - y.mean[k]);
  }
  return sum;
}

double Distortion::constant(const SpaceMoments& x, const SpaceMoments& y) const {
  return own_term(x, is_centred) + own_term(y, is_centred) - norms * x.square * y.square;
}

double Distortion::mean(const SpaceMoments& x, const SpaceMoments& y) const {
  const double own = own_term(x, is_centred) + own_term(y, is_centred);
  if (is_centred) return own - 8 * x.square * y.square;
  return own - 2 * square_of(x.mean) * square_of(y.mean);
}

double Distortion::radius(const SpaceMoments& x, const SpaceMoments& y) const {
  return std::sqrt(trace_of_second(x, is_centred) * trace_of_second(y, is_centred)) / 2;
}

const Distortion& distortion_named(const std::string& name) {
  if (name == kDistortionNames[0]) return kQuadratic;
  if (name == kDistortionNames[1]) return kInnerProduct;
  throw ConfigError(concat("unknown distortion \"", name, "\""));
}

}  // namespace kantor
