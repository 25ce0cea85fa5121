#include "solvers/eot/storage/probe.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <vector>

#include "runtime/core/index.hpp"
#include "runtime/core/process.hpp"
#include "runtime/kernels/absorbed_kernel.hpp"
#include "runtime/kernels/pass_time.hpp"

// Shapes: N_r rows of this rank, R of a buffer, M columns.

namespace kantor {

namespace {

constexpr double kEach = .02;          // seconds of a thread
constexpr double kBufferBytes = 72e6;  // beyond what processors cache

/// As many rows of what will be stored as fill so many bytes, all costs 0: any value takes as long.
template <class T>
class Buffer {
 public:
  Buffer(const ShardedPairs<T>& points, double bytes)
      : rows_(std::clamp<std::int64_t>(
            static_cast<std::int64_t>(bytes / static_cast<double>(sizeof(T)) /
                                      static_cast<double>(points.m())),
            std::min<std::int64_t>(16, points.rows().count()), points.rows().count())),
        zeros_(index(std::max(rows_, points.m()))),
        potentials_(index(points.m()), 0.0),
        log_b_(index(points.m()), -std::log(static_cast<double>(points.m()))),
        costs_(kernels::streamed_cost<T>({}, {zeros_.data(), rows_, 1},
                                         {zeros_.data(), points.m(), 1})) {}

  std::int64_t rows() const { return rows_; }
  const std::vector<double>& potentials() const { return potentials_; }
  const kernels::CostMatrix<T>& costs() const { return *costs_; }
  kernels::Reduction<T> reduction(const kernels::CostMatrix<T>& costs) const {
    return {costs, log_b_, potentials_, 1};
  }

 private:
  std::int64_t rows_;
  std::vector<T> zeros_;  ///< points of D = 1
  std::vector<double> potentials_, log_b_;
  std::unique_ptr<kernels::CostMatrix<T>> costs_;
};

/// The least of some calls.
double least(const std::function<void()>& pass) {
  double seconds = std::numeric_limits<double>::infinity();
  for (int call = 0; call < 6; ++call) {
    const double start = monotonic_seconds();
    pass();
    seconds = std::min(seconds, monotonic_seconds() - start);
  }
  return seconds;
}

struct BufferSeconds {
  double make = 0;  ///< and touch its memory first
  double pass = 0;
};

template <class T>
BufferSeconds of_buffer(const Buffer<T>& buffer, Storage form, ThreadPool& pool) {
  const double start = monotonic_seconds();
  const std::vector<double> weights(index(buffer.rows()), 1.0);
  std::vector<double> f(weights.size());
  std::vector<double> columns(buffer.potentials().size());
  if (is_absorbed(form)) {
    kernels::AbsorbedKernel<T> kernel(format_of(form));
    kernel.absorb(buffer.reduction(buffer.costs()), weights, pool);
    const double made = monotonic_seconds() - start;
    return {made, least([&] { kernel.weights(buffer.potentials(), weights, pool, f, columns); })};
  }
  const kernels::StoredCost<T> stored(buffer.costs(), pool);
  const double made = monotonic_seconds() - start;
  return {made, least([&] {
            kernels::soft_min_weights<T>(buffer.reduction(stored), weights, pool, f, columns);
          })};
}

/// A row more costs the same at any number of rows; what is left is for the columns.
template <class T>
BufferSeconds of_stored(const ShardedPairs<T>& points, Storage form, ThreadPool& pool) {
  const std::int64_t count = points.rows().count();
  const double stored = form == Storage::absorbed16 ? sizeof(std::uint16_t) : sizeof(T);
  const double bytes = kBufferBytes * sizeof(T) / stored;  // of as many numbers of type T
  const Buffer<T> whole(points, bytes);
  BufferSeconds seconds = of_buffer(whole, form, pool);
  if (whole.rows() == count) return seconds;
  const double times = static_cast<double>(count) / static_cast<double>(whole.rows());
  const Buffer<T> part(points, bytes / 16);
  if (part.rows() == whole.rows()) return {times * seconds.make, times * seconds.pass};
  const double row_s = (seconds.pass - std::min(seconds.pass, of_buffer(part, form, pool).pass)) /
                       static_cast<double>(whole.rows() - part.rows());
  return {times * seconds.make, seconds.pass + row_s * static_cast<double>(count - whole.rows())};
}

/// On blocks of the problem itself.
template <class T>
double of_streamed(const ShardedPairs<T>& points, ThreadPool& pool) {
  const std::vector<double> g(index(points.m()), 0.0);
  return kernels::time_weights<T>(points.over_y(g), pool, kEach)
      .seconds(points.rows().count(), pool.num_threads());
}

}  // namespace

template <class T>
MeasuredStorage measured_storage(const ShardedPairs<T>& points, const StoragePlan& plan,
                                 Context& context) {
  const std::int64_t count = points.rows().count();
  MeasuredStorage measured;
  if (count > 0) {
    measured.streamed_s = measured.iteration_s = of_streamed(points, context.pool);
    if (plan.form != Storage::streamed) {
      const BufferSeconds buffer = of_stored(points, plan.form, context.pool);
      measured.iteration_s = buffer.pass;
      measured.store_s = measured.streamed_s + buffer.make;
    }
  }
  // The all-reduce of the column sums, once all ranks are here.
  std::vector<double> columns(index(points.m()));
  double start = 0;
  for (int round = 0; round < 2; ++round) {
    start = monotonic_seconds();
    context.world.all_reduce<double>(columns, ReduceOp::sum, "column sums");
  }
  const double rest =
      monotonic_seconds() - start + kSecondsPerPoint * static_cast<double>(count + points.m());
  double slowest[] = {measured.streamed_s + rest, measured.iteration_s + rest, measured.store_s};
  context.world.all_reduce<double>(slowest, ReduceOp::max, "measured seconds");
  return {slowest[0], slowest[1], slowest[2]};
}

template MeasuredStorage measured_storage(const ShardedPairs<float>&, const StoragePlan&, Context&);
template MeasuredStorage measured_storage(const ShardedPairs<double>&, const StoragePlan&,
                                          Context&);

}  // namespace kantor
