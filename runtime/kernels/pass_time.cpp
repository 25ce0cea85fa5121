#include "runtime/kernels/pass_time.hpp"

#include <algorithm>
#include <numeric>
#include <utility>
#include <vector>

#include "runtime/core/process.hpp"
#include "runtime/kernels/soft_min_pass.hpp"

// Shapes: N rows, M columns; R rows of a block, P panels of W columns.

namespace kantor::kernels {
namespace {

double median(std::vector<double> values) {
  const auto middle = values.begin() + std::ssize(values) / 2;
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

/// Preparing the columns, and adding what the lanes have summed.
template <class T>
double seconds_of_columns(const Reduction<T>& reduction, ThreadPool& pool) {
  double seconds = 0;
  for (int round = 0; round < 2; ++round) {  // the first one allocates
    const double start = monotonic_seconds();
    Pass<T> pass(reduction, pool);
    const std::int64_t padded = pass.columns().padded();
    double* lanes = pass.frame().template take<double>(pass.cut().num_lanes * padded);
    pool.for_each(pass.cut().num_lanes,
                  [&](std::int64_t lane) { std::fill_n(lanes + lane * padded, padded, 0.0); });
    for (std::int64_t lane = 1; lane < pass.cut().num_lanes; ++lane) {
      for (std::int64_t j = 0; j < padded; ++j) lanes[j] += lanes[lane * padded + j];
    }
    seconds = monotonic_seconds() - start;
  }
  return seconds;
}

}  // namespace

double PassTime::seconds(std::int64_t num_rows, int threads) const {
  const std::int64_t blocks = (num_rows + rows_per_block - 1) / rows_per_block;
  const std::int64_t lanes = std::min(kMaxLanes, blocks);
  if (lanes == 0) return 0;
  const std::int64_t rounds = (lanes + threads - 1) / threads;
  return columns_s + block_s * static_cast<double>(rounds) * static_cast<double>(blocks) /
                         static_cast<double>(lanes);
}

template <class T>
PassTime time_weights(const Reduction<T>& reduction, ThreadPool& pool, double each_s) {
  PassTime time{.columns_s = seconds_of_columns(reduction, pool)};
  Pass<T> pass(reduction, pool);
  const RowCut& cut = pass.cut();
  time.rows_per_block = cut.rows_per_block;
  const std::int64_t threads = std::min<std::int64_t>(pool.num_threads(), cut.num_lanes);
  std::vector<double> medians(at(threads));
  pool.for_each(threads, [&](std::int64_t thread, Workspace& workspace) {
    SoftmaxBlock<T> block(pass, TileLayout::panels, workspace);
    Workspace::Frame frame(workspace);
    double* sums = frame.take<double>(pass.columns().padded());
    std::fill_n(sums, pass.columns().padded(), 0.0);
    double f[kMaxBlockRows];
    T scales[kMaxBlockRows];
    std::vector<double> seconds;
    const double start = monotonic_seconds();
    double now = start;
    for (std::int64_t k = thread; now - start < each_s || seconds.size() < 2; k += threads) {
      const std::int64_t first_row = k % cut.num_blocks * cut.rows_per_block;
      const std::int64_t count = std::min(cut.rows_per_block, cut.num_rows - first_row);
      block.make(first_row, count, f);
      for (std::int64_t r = 0; r < count; ++r) {
        scales[r] = static_cast<T>(block.sum(r) == 0 ? 0.0 : 1 / block.sum(r));
      }
      pass.kernels().add_columns(block.block(), pass.columns(), scales, sums);
      const double then = std::exchange(now, monotonic_seconds());
      seconds.push_back(now - then);
    }
    seconds.erase(seconds.begin());
    medians[at(thread)] = median(seconds);
  });
  time.block_s = std::accumulate(medians.begin(), medians.end(), 0.0) /
                 static_cast<double>(std::max<std::int64_t>(1, threads));
  return time;
}

template PassTime time_weights(const Reduction<float>&, ThreadPool&, double);
template PassTime time_weights(const Reduction<double>&, ThreadPool&, double);

}  // namespace kantor::kernels
