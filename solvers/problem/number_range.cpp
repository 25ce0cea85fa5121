#include "solvers/problem/number_range.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "distributed/collectively.hpp"
#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"

namespace kantor {

namespace {

using kernels::CostKind;

/// Largest norm in this rank's share of the rows, as they are or from the centre.
double largest_norm(const data::Marginal& marginal, std::span<const double> centre,
                    const Communicator& world) {
  const Shard share = shard_of(marginal.n(), world.rank(), world.size());
  std::vector<double> point(static_cast<std::size_t>(marginal.d()));
  double largest = 0;
  for (std::int64_t i = share.first; i < share.last; ++i) {
    marginal.read_range<double>(i, 1, centre, point.data());
    double square = 0;
    for (const double value : point) square += value * value;
    largest = std::max(largest, std::sqrt(square));
  }
  return largest;
}

double largest_in_file(const data::RowSource& file, const Communicator& world) {
  const Shard share = shard_of(file.num_rows(), world.rank(), world.size());
  std::vector<double> row(static_cast<std::size_t>(file.num_dims()));
  double largest = 0;
  for (std::int64_t i = share.first; i < share.last; ++i) {
    file.read(std::span<const std::int64_t>(&i, 1), row.data());
    for (const double cost : row) {
      if (std::isfinite(cost)) largest = std::max(largest, std::abs(cost));
    }
  }
  return largest;
}

/// What a tile makes on the way to the costs is at most as large.
double bound(const kernels::Cost& cost, double x, double y, double d) {
  switch (cost.kind) {
    case CostKind::dot:
      return x * y;
    case CostKind::pnorm:
      return d * std::pow(x + y, cost.p);
    case CostKind::sqeuclidean:
    case CostKind::half_sqeuclidean:
    case CostKind::euclidean:  // a root of squares
      break;
  }
  return (x + y) * (x + y);
}

struct Range {
  double smallest;  ///< normal number
  double largest;
  double digits;  ///< spacing of numbers at 1
};

template <class T>
constexpr Range range_of() {
  using Limits = std::numeric_limits<T>;
  return {static_cast<double>(Limits::min()), static_cast<double>(Limits::max()),
          static_cast<double>(Limits::epsilon())};
}

}  // namespace

void check_number_range(const GroundCost& cost, const Cloud& x, const Cloud& y, double epsilon,
                        Context& context) {
  std::vector<double> norms(2, 0.0);
  if (cost.file) {
    norms[0] = largest_in_file(*cost.file, context.world);
  } else {
    std::vector<double> centre;
    if (cost.kernel.kind != CostKind::dot) centre = midpoint(x, y);
    norms = {largest_norm(x.marginal, centre, context.world),
             largest_norm(y.marginal, centre, context.world)};
  }
  context.world.all_reduce<double>(norms, ReduceOp::max, "largest points");
  const double most =
      cost.file ? norms[0] : bound(cost.kernel, norms[0], norms[1], static_cast<double>(x.d()));
  const bool is_double = context.run.is_double();
  const Range range = is_double ? range_of<double>() : range_of<float>();
  const double room = range.largest / 8;  // for the sums of a few
  // What epsilon is divided into has to be a number, down to epsilon's own digits.
  const bool is_in_range =
      most <= room && epsilon * range.digits >= range.smallest && most / epsilon <= room;
  if (is_in_range) return;
  const std::string what =
      concat("costs of up to about ", most, " with epsilon ", epsilon,
             " are beyond the numbers of run.precision = \"", context.run.precision, "\" (",
             range.smallest, " to ", range.largest, ", also of costs over epsilon); ");
  if (is_double) {
    fail_on_all_ranks(context.world,
                      DataError(what + "rescale the points (scale of each marginal) or the costs"));
  }
  fail_on_all_ranks(context.world,
                    ConfigError(what + "use run.precision = \"float64\", or rescale the points "
                                       "(scale of each marginal) or the costs"));
}

}  // namespace kantor
