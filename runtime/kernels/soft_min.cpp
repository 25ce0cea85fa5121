#include "runtime/kernels/soft_min.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/kernels/blas.hpp"
#include "runtime/kernels/panels.hpp"
#include "runtime/kernels/soft_min_pass.hpp"

// Shapes: N rows, M columns, K value columns; R rows of a panel.

namespace kantor::kernels {
namespace {

/// Column sums of scaled rows: in T within a panel, in double over the panels of a lane, and over
/// the lanes in their order.
template <class T>
class ColumnSums {
 public:
  ColumnSums(const Pass<T>& pass)
      : pass_(pass), lanes_(at(pass.panels().num_lanes * pass.num_columns()), 0.0) {}

  /// What one lane works with.
  class Lane {
   public:
    Lane(ColumnSums& sums, std::int64_t lane)
        : pass_(sums.pass_),
          total_(sums.lanes_.data() + lane * pass_.num_columns()),
          panel_(pass_.num_columns()) {
      clear_panel();
    }

    /// Adds scale times a row, which must stay until end_panel().
    void add(const T* row, double scale) {
      rows_[at(num_rows_)] = row;
      scales_[at(num_rows_)] = static_cast<T>(scale);
      if (++num_rows_ == kRowsAtOnce) add_waiting();
    }

    void end_panel() {
      add_waiting();
      for (std::int64_t j = 0; j < pass_.num_columns(); ++j) {
        total_[j] += static_cast<double>(panel_.data()[j]);
      }
      clear_panel();
    }

   private:
    static constexpr std::int64_t kRowsAtOnce = 4;  // one pass over the sums for all of them

    void clear_panel() { std::fill_n(panel_.data(), pass_.num_columns(), T{0}); }
    void add_waiting() {
      pass_.kernels().add_scaled_rows(panel_.data(), rows_.data(), scales_.data(), num_rows_,
                                      pass_.num_columns());
      num_rows_ = 0;
    }

    const Pass<T>& pass_;
    double* total_;     ///< [M]
    Scratch<T> panel_;  ///< [M]
    std::array<const T*, kRowsAtOnce> rows_;
    std::array<T, kRowsAtOnce> scales_;
    std::int64_t num_rows_ = 0;
  };

  void write(std::span<double> columns) const {
    std::fill(columns.begin(), columns.end(), 0.0);
    for (std::int64_t lane = 0; lane < pass_.panels().num_lanes; ++lane) {
      const double* from = lanes_.data() + lane * pass_.num_columns();
      for (std::size_t j = 0; j < columns.size(); ++j) columns[j] += from[j];
    }
  }

 private:
  const Pass<T>& pass_;
  std::vector<double> lanes_;  ///< [lanes, M]
};

}  // namespace

template <class T>
void soft_min(const Reduction<T>& reduction, ThreadPool& pool, std::span<double> f) {
  const Pass<T> pass(reduction);
  check_size("f", f.size(), pass.num_rows());
  pass.for_each_lane(pool, [&](std::int64_t lane) {
    Scratch<T> tile(pass.tile_size());
    std::vector<double> sums(at(pass.panels().rows_per_panel));
    pass.panels().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      pass.make_softmax_panel(first_row, count, tile.data(), sums.data(), f.data() + first_row);
    });
  });
}

template <class T>
void soft_min_averages(const Reduction<T>& reduction, std::span<const T> values,
                       std::int64_t num_values, ThreadPool& pool, std::span<double> f,
                       std::span<double> averages) {
  const Pass<T> pass(reduction);
  KANTOR_CHECK(num_values >= 0, "soft-min averages: ", num_values, " value columns");
  check_size("f", f.size(), pass.num_rows());
  check_size("values", values.size(), pass.num_columns() * num_values);
  check_size("averages", averages.size(), pass.num_rows() * num_values);
  pass.for_each_lane(pool, [&](std::int64_t lane) {
    Scratch<T> tile(pass.tile_size());
    Scratch<T> products(pass.panels().rows_per_panel * num_values);
    std::vector<double> sums(at(pass.panels().rows_per_panel));
    pass.panels().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      pass.make_softmax_panel(first_row, count, tile.data(), sums.data(), f.data() + first_row);
      gemm_nn(count, num_values, pass.num_columns(), T{1}, tile.data(), pass.num_columns(),
              values.data(), num_values, T{0}, products.data(), num_values);
      for (std::int64_t r = 0; r < count; ++r) {
        const double factor = sums[at(r)] == 0 ? 0.0 : 1 / sums[at(r)];
        for (std::int64_t k = 0; k < num_values; ++k) {
          averages[at((first_row + r) * num_values + k)] =
              factor * static_cast<double>(products.data()[r * num_values + k]);
        }
      }
    });
  });
}

template <class T>
void soft_min_weights(const Reduction<T>& reduction, std::span<const double> row_weights,
                      ThreadPool& pool, std::span<double> f, std::span<double> column_weights) {
  soft_min_weights<T>(reduction, row_weights, {}, pool, f, column_weights);
}

template <class T>
void soft_min_weights(const Reduction<T>& reduction, std::span<const double> row_weights,
                      const RowUpdate& update, ThreadPool& pool, std::span<double> f,
                      std::span<double> column_weights) {
  const Pass<T> pass(reduction);
  check_size("f", f.size(), pass.num_rows());
  check_size("row_weights", row_weights.size(), pass.num_rows());
  check_size("column_weights", column_weights.size(), pass.num_columns());
  for (std::size_t i = 0; i < row_weights.size(); ++i) {
    KANTOR_CHECK(row_weights[i] >= 0, "soft-min weights: row_weights[", i, "] = ", row_weights[i],
                 ", expected a number >= 0");
  }
  if (!update.kept.empty()) check_size("kept", update.kept.size(), pass.num_rows());
  const bool is_plain = update.kept.empty() && update.gain == 1;
  ColumnSums<T> columns(pass);
  pass.for_each_lane(pool, [&](std::int64_t lane) {
    Scratch<T> tile(pass.tile_size());
    typename ColumnSums<T>::Lane lane_columns(columns, lane);
    pass.panels().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      pass.make_logits(first_row, count, tile.data(), f.data() + first_row);
      for (std::int64_t r = 0; r < count; ++r) {
        T* row = tile.data() + r * pass.num_columns();
        const double sum = pass.make_softmax(row, f[at(first_row + r)]);
        const std::size_t i = at(first_row + r);
        const double weight = row_weights[i];
        if (weight == 0 || sum == 0) continue;
        const double moved = is_plain ? 1 : std::exp((update.of(i, f[i]) - f[i]) / pass.epsilon());
        lane_columns.add(row, weight * moved / sum);
      }
      lane_columns.end_panel();
    });
  });
  columns.write(column_weights);
}

template <class T>
void plan_column_weights(const Reduction<T>& reduction, std::span<const double> f,
                         std::span<const double> row_weights, ThreadPool& pool,
                         std::span<double> column_weights) {
  const Pass<T> pass(reduction);
  check_size("f", f.size(), pass.num_rows());
  check_size("row_weights", row_weights.size(), pass.num_rows());
  check_size("column_weights", column_weights.size(), pass.num_columns());
  ColumnSums<T> columns(pass);
  pass.for_each_lane(pool, [&](std::int64_t lane) {
    Scratch<T> tile(pass.tile_size());
    std::vector<double> row_shifts(at(pass.panels().rows_per_panel));
    typename ColumnSums<T>::Lane lane_columns(columns, lane);
    pass.panels().for_each_of_lane(lane, [&](std::int64_t first_row, std::int64_t count) {
      pass.make_logits(first_row, count, tile.data(), row_shifts.data());
      for (std::int64_t r = 0; r < count; ++r) {
        const double weight = row_weights[at(first_row + r)];
        const double potential = f[at(first_row + r)];
        if (weight == 0 || std::isinf(potential)) continue;  // exp(-inf) is 0 too
        const double shift = (row_shifts[at(r)] - potential) / pass.epsilon() - pass.bias_shift();
        const T rounded = static_cast<T>(shift);
        // What rounding took from the exponent goes into the scale, unless all of it is beyond T.
        double rest = std::exp(static_cast<double>(rounded) - shift);
        if (!std::isfinite(rest) || rest == 0) rest = 1;
        T* row = tile.data() + r * pass.num_columns();
        pass.kernels().exp_shifted(row, pass.num_columns(), rounded);
        lane_columns.add(row, weight * rest);
      }
      lane_columns.end_panel();
    });
  });
  columns.write(column_weights);
}

#define KANTOR_SOFT_MIN(T)                                                                       \
  template void soft_min(const Reduction<T>&, ThreadPool&, std::span<double>);                   \
  template void soft_min_averages(const Reduction<T>&, std::span<const T>, std::int64_t,         \
                                  ThreadPool&, std::span<double>, std::span<double>);            \
  template void soft_min_weights(const Reduction<T>&, std::span<const double>, ThreadPool&,      \
                                 std::span<double>, std::span<double>);                          \
  template void soft_min_weights(const Reduction<T>&, std::span<const double>, const RowUpdate&, \
                                 ThreadPool&, std::span<double>, std::span<double>);             \
  template void plan_column_weights(const Reduction<T>&, std::span<const double>,                \
                                    std::span<const double>, ThreadPool&, std::span<double>);
KANTOR_SOFT_MIN(float)
KANTOR_SOFT_MIN(double)
#undef KANTOR_SOFT_MIN

}  // namespace kantor::kernels
