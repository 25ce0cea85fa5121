#include "runtime/kernels/soft_min.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "runtime/core/error.hpp"
#include "runtime/kernels/prepared_reduction.hpp"

// Shapes: N rows, M columns, K value columns; R rows of a block, P panels of W columns.

namespace kantor::kernels {
namespace {

/// Column sums of scaled rows: in T within a block, in double over the blocks of a lane, and over
/// the lanes in their order.
template <class T>
class ColumnSums {
 public:
  explicit ColumnSums(PreparedReduction<T>& pass)
      : pass_(pass),
        lanes_(pass.frame().template take<double>(pass.cut().num_lanes * pass.columns().padded())) {
  }

  /// [P, W] the sums of a lane.
  double* lane(std::int64_t lane) const { return lanes_ + lane * pass_.columns().padded(); }
  void clear(std::int64_t lane) const {
    std::fill_n(this->lane(lane), pass_.columns().padded(), 0.0);
  }

  void write(std::span<double> columns) const {
    std::fill(columns.begin(), columns.end(), 0.0);
    for (std::int64_t lane = 0; lane < pass_.cut().num_lanes; ++lane) {
      const double* from = lanes_ + lane * pass_.columns().padded();
      for (std::size_t j = 0; j < columns.size(); ++j) columns[j] += from[j];
    }
  }

 private:
  const PreparedReduction<T>& pass_;
  double* lanes_;  ///< [lanes, P, W]
};

}  // namespace

template <class T>
void soft_min(const Reduction<T>& reduction, ThreadPool& pool, std::span<double> f) {
  const PreparedReduction<T> pass(reduction, pool);
  check_size("f", f.size(), pass.num_rows());
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    SoftmaxBlock<T> block(pass, TileLayout::none, workspace);
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      block.make(first_row, count, f.data() + first_row);
    });
  });
}

template <class T>
void soft_min_averages(const Reduction<T>& reduction, std::span<const T> values,
                       std::int64_t num_values, ThreadPool& pool, std::span<double> f,
                       std::span<double> averages) {
  const PreparedReduction<T> pass(reduction, pool);
  KANTOR_CHECK(num_values >= 0, "soft-min averages: ", num_values, " value columns");
  check_size("f", f.size(), pass.num_rows());
  check_size("values", values.size(), pass.num_columns() * num_values);
  check_size("averages", averages.size(), pass.num_rows() * num_values);
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    SoftmaxBlock<T> block(pass, TileLayout::rows, workspace);
    Workspace::Frame frame(workspace);
    const std::int64_t group = pass.kernels().row_group;
    double* sums = frame.take<double>(round_up(pass.cut().rows_per_block, group) * num_values);
    T* scratch = frame.take<T>(kTermsInT * round_up(num_values, pass.kernels().panel_width));
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      block.make(first_row, count, f.data() + first_row);
      std::fill_n(sums, round_up(count, group) * num_values, 0.0);
      pass.kernels().add_products(block.row(0), block.row_stride(), round_up(count, group),
                                  values.data(), pass.num_columns(), num_values, scratch, sums);
      for (std::int64_t r = 0; r < count; ++r) {
        const double factor = block.sum(r) == 0 ? 0.0 : 1 / block.sum(r);
        for (std::int64_t k = 0; k < num_values; ++k) {
          averages[at((first_row + r) * num_values + k)] = factor * sums[r * num_values + k];
        }
      }
    });
  });
}

template <class T>
void soft_min_weights(const Reduction<T>& reduction, std::span<const double> row_weights,
                      ThreadPool& pool, std::span<double> f, std::span<double> column_weights) {
  soft_min_weights<T>(reduction, row_weights, RowUpdate{}, pool, f, column_weights);
}

template <class T>
void soft_min_weights(const Reduction<T>& reduction, std::span<const double> row_weights,
                      const RowUpdate& update, ThreadPool& pool, std::span<double> f,
                      std::span<double> column_weights) {
  const UpdatedColumns wanted[] = {{update, column_weights}};
  soft_min_weights<T>(reduction, row_weights, wanted, pool, f);
}

template <class T>
void soft_min_weights(const Reduction<T>& reduction, std::span<const double> row_weights,
                      std::span<const UpdatedColumns> wanted, ThreadPool& pool,
                      std::span<double> f) {
  PreparedReduction<T> pass(reduction, pool);
  check_size("f", f.size(), pass.num_rows());
  check_size("row_weights", row_weights.size(), pass.num_rows());
  for (std::size_t i = 0; i < row_weights.size(); ++i) {
    KANTOR_CHECK(row_weights[i] >= 0, "soft-min weights: row_weights[", i, "] = ", row_weights[i],
                 ", expected a number >= 0");
  }
  std::vector<ColumnSums<T>> columns;
  for (const UpdatedColumns& each : wanted) {
    const std::span<const double> kept = each.update.kept;
    if (!kept.empty()) check_size("kept", kept.size(), pass.num_rows());
    check_size("column_weights", each.column_weights.size(), pass.num_columns());
    columns.emplace_back(pass);
  }
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    SoftmaxBlock<T> block(pass, TileLayout::panels, workspace);
    T scales[kMaxBlockRows];
    for (const ColumnSums<T>& sums : columns) sums.clear(lane);
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      block.make(first_row, count, f.data() + first_row);
      for (std::size_t k = 0; k < wanted.size(); ++k) {
        const RowUpdate& update = wanted[k].update;
        for (std::int64_t r = 0; r < count; ++r) {
          const std::size_t i = at(first_row + r);
          const bool is_absent = block.sum(r) == 0 || row_weights[i] == 0;
          scales[r] = static_cast<T>(
              is_absent ? 0.0
                        : row_weights[i] * update.growth(i, f[i], pass.epsilon()) / block.sum(r));
        }
        pass.kernels().add_columns(block.block(), pass.columns(), scales, columns[k].lane(lane));
      }
    });
  });
  for (std::size_t k = 0; k < wanted.size(); ++k) columns[k].write(wanted[k].column_weights);
}

template <class T>
void plan_column_weights(const Reduction<T>& reduction, std::span<const double> f,
                         std::span<const double> row_weights, ThreadPool& pool,
                         std::span<double> column_weights) {
  PreparedReduction<T> pass(reduction, pool);
  check_size("f", f.size(), pass.num_rows());
  check_size("row_weights", row_weights.size(), pass.num_rows());
  check_size("column_weights", column_weights.size(), pass.num_columns());
  const ColumnSums<T> columns(pass);
  pass.for_each_lane([&](std::int64_t lane, Workspace& workspace) {
    columns.clear(lane);
    T shifts[kMaxBlockRows];
    T scales[kMaxBlockRows];
    double row_parts[kMaxBlockRows];
    pass.cut().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      Workspace::Frame frame(workspace);
      const RowOperand<T> operand = pass.rows(first_row, count, frame, row_parts);
      std::fill_n(shifts, round_up(count, kRowGroup), T{0});
      std::fill_n(scales, round_up(count, kRowGroup), T{0});
      for (std::int64_t r = 0; r < count; ++r) {
        const double weight = row_weights[at(first_row + r)];
        const double potential = f[at(first_row + r)];
        if (weight == 0 || std::isinf(potential)) continue;  // exp(-inf) is 0 too
        const double shift =
            std::numbers::log2e * ((row_parts[r] - potential) / pass.epsilon() - pass.bias_shift());
        shifts[r] = static_cast<T>(shift);
        // What rounding took from the exponent goes into the scale, unless all of it is beyond T.
        double rest = std::exp2(static_cast<double>(shifts[r]) - shift);
        if (!std::isfinite(rest) || rest == 0) rest = 1;
        scales[r] = static_cast<T>(weight * rest);
      }
      pass.kernels().plan_columns(operand, pass.columns(), count, shifts, scales,
                                  columns.lane(lane));
    });
  });
  columns.write(column_weights);
}

#define KANTOR_SOFT_MIN(T)                                                                         \
  template void soft_min(const Reduction<T>&, ThreadPool&, std::span<double>);                     \
  template void soft_min_averages(const Reduction<T>&, std::span<const T>, std::int64_t,           \
                                  ThreadPool&, std::span<double>, std::span<double>);              \
  template void soft_min_weights(const Reduction<T>&, std::span<const double>, ThreadPool&,        \
                                 std::span<double>, std::span<double>);                            \
  template void soft_min_weights(const Reduction<T>&, std::span<const double>, const RowUpdate&,   \
                                 ThreadPool&, std::span<double>, std::span<double>);               \
  template void soft_min_weights(const Reduction<T>&, std::span<const double>,                     \
                                 std::span<const UpdatedColumns>, ThreadPool&, std::span<double>); \
  template void plan_column_weights(const Reduction<T>&, std::span<const double>,                  \
                                    std::span<const double>, ThreadPool&, std::span<double>);
KANTOR_SOFT_MIN(float)
KANTOR_SOFT_MIN(double)
#undef KANTOR_SOFT_MIN

}  // namespace kantor::kernels
