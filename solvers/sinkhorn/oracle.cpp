#include "solvers/sinkhorn/oracle.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/kernels/blas.hpp"
#include "solvers/eot/storage/record.hpp"
#include "solvers/sinkhorn/iteration.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"

// Shapes: N_r points x on this rank, M points y, D dimensions, K values.

namespace kantor::sinkhorn {

namespace {

template <class T>
class Oracle final : public EotOracle {
 public:
  Oracle(const SinkhornConfig& config, CheckpointScope& scope, Context& context)
      : config_(config), scope_(scope), context_(context) {}

  Solution solve(const Pair& pair, std::vector<double> g, double tolerance,
                 CheckpointScope& scope) override {
    pair_ = pair;
    Stopping stopping = config_.stopping();
    stopping.tolerance = tolerance;
    if (points_) {
      points_->set_rows(pair);
    } else {
      const StoragePlan plan =
          recorded_plan(scope_, "storage", solve_shape(pair, {}, sizeof(T) == 8, context_),
                        storage_named(config_.storage), workload_of(config_, pair), context_);
      points_.emplace(pair, Subset{}, plan, context_);
    }
    points_->store_costs();
    Solution solution;
    solution.g = std::move(g);
    if (solution.g.empty()) {
      solution.g.assign(index(points_->m()), 0.0);
    } else {
      stopping.decay = {};
    }
    const Report report =
        iterate(*points_, stopping, solution.f, solution.g, context_, "sinkhorn", scope);
    solution.marginal_error = report.marginal_error;
    solution.iterations = report.iterations;
    solution.converged = report.converged;
    return solution;
  }

  Moment cross_moment(const Solution& solution, std::span<const double> values,
                      std::int64_t num_values) override {
    const std::span<const double> a = points_->a();
    const std::size_t d = index(pair_->d());
    const std::size_t k = index(num_values);
    std::vector<double> f(a.size());
    std::vector<double> averages(a.size() * d);  // of y given x_i, centred
    points_->transform_to_x(solution.g, f, averages);
    std::vector<double> moment(k * d + 1, 0.0);
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] > 0) moment.back() += a[i] * f[i];
      for (std::size_t c = 0; c < d; ++c) averages[i * d + c] += pair_->centre[c];
    }
    constexpr std::size_t kBlock = 512;
    std::vector<double> weighted(k * kBlock);  // [K, rows]
    for (std::size_t first = 0; first < a.size(); first += kBlock) {
      const std::size_t count = std::min(kBlock, a.size() - first);
      for (std::size_t i = 0; i < count; ++i) {
        for (std::size_t row = 0; row < k; ++row) {
          weighted[row * count + i] = a[first + i] * values[(first + i) * k + row];
        }
      }
      kernels::gemm_nn(num_values, pair_->d(), static_cast<std::int64_t>(count), 1.0,
                       weighted.data(), static_cast<std::int64_t>(count),
                       averages.data() + first * d, pair_->d(), 1.0, moment.data(), pair_->d());
    }
    context_.world.all_reduce<double>(moment, ReduceOp::sum, "cross moment");
    const double dual_value = moment.back() + points_->expectation_y(solution.g);
    moment.pop_back();
    return {std::move(moment), dual_value};
  }

  PlanValue value(const Solution& solution) override {
    const ShardedPairs<double> points(*pair_, {}, Storage::streamed, context_);
    return plan_value(points, solution.f, solution.g, context_);
  }

 private:
  const SinkhornConfig& config_;
  CheckpointScope& scope_;
  Context& context_;
  std::optional<Pair> pair_;
  std::optional<ShardedPairs<T>> points_;
};

}  // namespace

std::unique_ptr<EotOracle> make_oracle(const SinkhornConfig& config, CheckpointScope& scope,
                                       Context& context) {
  return in_precision(context, [&]<class T>() -> std::unique_ptr<EotOracle> {
    return std::make_unique<Oracle<T>>(config, scope, context);
  });
}

}  // namespace kantor::sinkhorn
