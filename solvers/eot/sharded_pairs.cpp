#include "solvers/eot/sharded_pairs.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/core/text.hpp"
#include "runtime/random/permutation.hpp"
#include "solvers/problem/cost_file.hpp"

namespace kantor {

namespace {

std::vector<std::int64_t> seeded_rows(const Pair& pair, std::uint32_t k, std::int64_t limit,
                                      std::int64_t seed) {
  const data::Marginal& marginal = pair.cloud(k).marginal;
  if (limit == 0 || marginal.n() <= limit) return {};
  const random::Permutation order(static_cast<std::uint64_t>(marginal.n()),
                                  static_cast<std::uint64_t>(seed), random::Purpose::evaluation, k,
                                  0);
  std::vector<std::int64_t> rows;
  for (std::uint64_t i = 0; i < order.size() && std::ssize(rows) < limit; ++i) {
    const auto row = static_cast<std::int64_t>(order(i));
    if (marginal.weight(row) > 0) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

/// Rows [first, last) of a subset, or of the marginal itself.
template <class T>
void read_rows(const data::Marginal& marginal, std::span<const std::int64_t> subset,
               std::int64_t first, std::int64_t last, std::span<const double> shift,
               std::vector<T>& points) {
  points.resize(index((last - first) * marginal.d()));
  if (subset.empty()) {
    marginal.read_range<T>(first, last - first, shift, points.data());
  } else {
    marginal.read<T>(subset.subspan(index(first), index(last - first)), shift, points.data());
  }
}

/// Weights of the subset's rows, summing to 1.
std::vector<double> subset_weights(const data::Marginal& marginal,
                                   std::span<const std::int64_t> subset) {
  std::vector<double> weights = marginal.weights();
  if (subset.empty()) return weights;
  std::vector<double> chosen;
  for (const std::int64_t row : subset) chosen.push_back(weights[index(row)]);
  const double mass = std::accumulate(chosen.begin(), chosen.end(), 0.0);
  KANTOR_CHECK(mass > 0, "the evaluation subset of ", marginal.name(), " has no mass");
  for (double& weight : chosen) weight /= mass;
  return chosen;
}

std::vector<double> logarithms(std::span<const double> weights) {
  std::vector<double> result;
  result.reserve(weights.size());
  for (const double weight : weights) result.push_back(std::log(weight));  // log 0 = -inf
  return result;
}

}  // namespace

Subset evaluation_subset(const Pair& pair, std::int64_t limit, std::int64_t seed) {
  return {seeded_rows(pair, 0, limit, seed), seeded_rows(pair, 1, limit, seed)};
}

std::vector<std::int64_t> rows_of(const Shard& shard, std::span<const std::int64_t> subset) {
  std::vector<std::int64_t> rows(index(shard.count()));
  std::iota(rows.begin(), rows.end(), shard.first);
  if (!subset.empty()) {
    for (std::int64_t& row : rows) row = subset[index(row)];
  }
  return rows;
}

bool has_mass(const Pair& pair, const Subset& subset) {
  const auto has_weight = [&](const data::Marginal& marginal, const auto& rows) {
    return rows.empty() || std::any_of(rows.begin(), rows.end(),
                                       [&](std::int64_t row) { return marginal.weight(row) > 0; });
  };
  return has_weight(pair.x.marginal, subset.x) && has_weight(pair.y.marginal, subset.y);
}

SolveShape solve_shape(const Pair& pair, const Subset& subset, bool is_double,
                       const Context& context) {
  SolveShape shape;
  shape.n = subset.x.empty() ? pair.n(0) : std::ssize(subset.x);
  shape.m = subset.y.empty() ? pair.n(1) : std::ssize(subset.y);
  shape.rows = shard_of(shape.n, 0, context.world.size()).slots;
  shape.d = pair.d();
  shape.cost = pair.cost.kernel.kind;
  shape.has_matrix = pair.cost.file != nullptr;
  shape.is_double = is_double;
  shape.threads = context.pool.num_threads();
  return shape;
}

template <class T>
ShardedPairs<T>::ShardedPairs(const Pair& pair, const Subset& subset, Storage storage,
                              Context& context)
    : ShardedPairs(
          pair, subset,
          plan_storage(solve_shape(pair, subset, sizeof(T) == 8, context), storage, {}, context),
          context) {
  store_costs();
}

template <class T>
ShardedPairs<T>::ShardedPairs(const Pair& pair, const Subset& subset, const StoragePlan& plan,
                              Context& context)
    : context_(context),
      epsilon_(pair.epsilon),
      rho_(pair.rho),
      has_forbidden_pairs_(pair.cost.has_forbidden_pairs),
      d_(pair.d()),
      n_(subset.x.empty() ? pair.n(0) : static_cast<std::int64_t>(subset.x.size())),
      rows_(shard_of(n_, context.world.rank(), context.world.size())),
      planned_(plan.form),
      form_(plan.form),
      form_of_tail_(plan.form_of_tail()) {
  b_ = subset_weights(pair.y.marginal, subset.y);
  {
    const std::vector<double> all_a = subset_weights(pair.x.marginal, subset.x);
    a_.assign(all_a.begin() + rows_.first, all_a.begin() + rows_.last);
  }
  log_a_ = logarithms(a_);
  log_b_ = logarithms(b_);
  if (pair.cost.file) {
    read_cost_file(pair, subset);
  } else {
    make_streamed(pair, subset);
  }
}

template <class T>
void ShardedPairs<T>::store_costs() {
  if (device_) {
    keep_costs_on_device();
  } else if (form_ == Storage::materialised && !is_stored_ && rows_.count() > 0) {
    cost_ = std::make_unique<kernels::StoredCost<T>>(*cost_, context_.pool);
    is_stored_ = true;
  }
}

template <class T>
void ShardedPairs<T>::set_rows(const Pair& pair) {
  KANTOR_CHECK(!pair.cost.file && pair.n(0) == n_ && pair.n(1) == m() && pair.d() == d_,
               "rows of another pair: ", pair.n(0), " x ", pair.n(1), " points, d = ", pair.d());
  epsilon_ = pair.epsilon;
  form_ = planned_;
  is_stored_ = false;
  make_streamed(pair, {});
}

template <class T>
void ShardedPairs<T>::make_streamed(const Pair& pair, const Subset& subset) {
  const bool has_y = centre_ == pair.centre;
  read_rows<T>(pair.x.marginal, subset.x, rows_.first, rows_.last, pair.centre, x_);
  if (!has_y) read_rows<T>(pair.y.marginal, subset.y, 0, m(), pair.centre, y_);
  centre_ = pair.centre;
  cost_ = kernels::streamed_cost<T>(pair.cost.kernel, x(), y(), pair.centre);
  transposed_ = kernels::streamed_cost<T>(pair.cost.kernel, y(), x(), pair.centre);
  if (context_.pair_reducer == nullptr) return;
  collectively(context_.world, "bringing the points to the GPU", [&] {
    if (has_y && device_) return device_->set_rows(x());
    device_.reset();
    device_ = std::make_unique<DevicePairs<T>>(
        RankPairs<T>{pair.cost.kernel, pair.centre, x(), y(), nullptr, a_, log_a_, log_b_},
        context_);
  });
}

template <class T>
void ShardedPairs<T>::keep_costs_on_device() {
  KANTOR_CHECK(!is_absorbed(), "a kernel is not absorbed on a GPU");
  const bool is_asked = form_ == Storage::materialised;
  bool is_short = false;
  collectively(context_.world, "keeping the costs on the GPU", [&] {
    if (is_asked || (form_ == Storage::automatic && device_->is_worth_keeping())) {
      is_short = !device_->keep_costs() && is_asked;
    }
    form_ = device_->keeps_costs() ? Storage::materialised : Storage::streamed;
  });
  if (context_.world.agree(is_short ? 1 : 0, "memory for the costs") == 0) {
    context_.log.detail(
        concat("the GPU makes costs from ", device_->keeps_costs() ? "memory" : "points"));
    return;
  }
  fail_on_all_ranks(
      context_.world,
      ConfigError(concat(
          "solver.sinkhorn.storage = \"materialised\" needs ",
          format_bytes(static_cast<double>(rows_.slots) * static_cast<double>(m()) * sizeof(T)),
          " of the GPU, which has less, or whose kernels are not used; use "
          "\"auto\", \"streamed\" or more ranks")));
}

template <class T>
void ShardedPairs<T>::read_cost_file(const Pair& pair, const Subset& subset) {
  const std::vector<std::int64_t> rows = rows_of(rows_, subset.x);
  const std::vector<std::int64_t> columns = rows_of(shard_of(m(), 0, 1), subset.y);
  kernels::SplitCosts<T> costs = split_costs<T>(*pair.cost.file, rows, columns, context_.world);
  if (context_.pair_reducer != nullptr) {
    collectively(context_.world, "bringing the costs to the GPU", [&] {
      device_ = std::make_unique<DevicePairs<T>>(
          RankPairs<T>{.costs = &costs, .a = a_, .log_a = log_a_, .log_b = log_b_}, context_);
    });
  }
  transposed_ = std::make_unique<kernels::StoredCost<T>>(costs.transposed());
  cost_ = std::make_unique<kernels::StoredCost<T>>(std::move(costs));
  is_stored_ = true;
}

template <class T>
double ShardedPairs<T>::expectation_x(std::span<const double> values) const {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (a_[i] > 0) sum += a_[i] * values[i];
  }
  context_.world.all_reduce<double>(std::span<double>(&sum, 1), ReduceOp::sum,
                                    "expectation over x");
  return sum;
}

template <class T>
double ShardedPairs<T>::expectation_y(std::span<const double> values) const {
  double sum = 0;
  for (std::size_t j = 0; j < values.size(); ++j) {
    if (b_[j] > 0) sum += b_[j] * values[j];
  }
  return sum;
}

template <class T>
std::vector<double> ShardedPairs<T>::gather_x(std::span<const double> values) const {
  return gather_rows(values, n_, context_.world, "potentials");
}

template class ShardedPairs<float>;
template class ShardedPairs<double>;

}  // namespace kantor
