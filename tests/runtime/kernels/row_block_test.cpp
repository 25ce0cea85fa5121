// The register tiles of each instruction set against plain loops in double.
// Shapes: R rows of a block, M columns in P panels of W, D dimensions.

#include "runtime/kernels/row_block.hpp"

#include <gtest/gtest.h>

#include "runtime/kernels/vector_kernels.hpp"
#include "tests/runtime/kernels/available_sets.hpp"
#include "tests/runtime/kernels/random_problem.hpp"
#include "tests/support/tolerance.hpp"

namespace kantor::kernels::test {
namespace {

using kantor::test::tol;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

/// A block with its exact logits: products of points if depth > 0, else stored costs.
template <class T>
struct Block {
  const VectorKernels<T>& kernels;
  std::int64_t count, m, depth;
  std::vector<T> bias, points, rows, costs;
  std::vector<double> logits;  ///< [count, m]
  ColumnPanels<T> columns;
  RowOperand<T> operand;

  std::vector<T> tile, panel_references;
  std::vector<double> references, sums;
  RowBlock<T> block;

  Block(InstructionSet set, std::int64_t num_rows, std::int64_t num_columns, std::int64_t d,
        std::span<const double> biases)
      : kernels(vector_kernels<T>(set)), count(num_rows), m(num_columns), depth(d) {
    columns.num_columns = m;
    columns.width = kernels.panel_width;
    columns.num_panels = round_up(m, columns.width) / columns.width;
    bias.assign(biases.begin(), biases.end());
    bias.resize(at(columns.padded()), -std::numeric_limits<T>::infinity());
    columns.bias = bias.data();
    if (depth > 0) {
      set_points();
    } else {
      set_costs();
    }
    references.resize(at(round_up(count, kRowGroup)));
    sums = references;
    block.count = count;
    block.sums = sums.data();
    block.references = references.data();
  }

  void set_points() {
    const std::vector<double> x = uniform(count * depth, -1, 1, 1),
                              y = uniform(m * depth, -1, 1, 2);
    const std::vector<T> x_points(x.begin(), x.end()), y_points(y.begin(), y.end());
    rows.resize(at(round_up(count, kernels.row_group) * depth));
    points.resize(at(columns.padded() * depth));
    kernels.pack(x_points.data(), count, depth, kernels.row_group, T{2}, rows.data());
    kernels.pack(y_points.data(), m, depth, kernels.panel_width, T{1}, points.data());
    operand = {.points = rows.data(), .depth = depth};
    columns.points = points.data();
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t j = 0; j < m; ++j) {
        double sum = bias[at(j)];
        for (std::int64_t k = 0; k < depth; ++k) {
          sum += 2 * static_cast<double>(x_points[at(i * depth + k)]) *
                 static_cast<double>(y_points[at(j * depth + k)]);
        }
        logits.push_back(sum);
      }
    }
  }

  void set_costs() {
    const std::vector<double> values = uniform(count * m, 0, 1, 3);
    costs.assign(values.begin(), values.end());
    operand = {.costs = costs.data(), .stride = m, .scale = T{2}};
    for (std::int64_t i = 0; i < count; ++i) {
      for (std::int64_t j = 0; j < m; ++j) {
        logits.push_back(bias[at(j)] - 2 * static_cast<double>(costs[at(i * m + j)]));
      }
    }
  }

  void make(bool by_rows) {
    tile.assign(at(block.padded() * columns.padded()), T{-1});
    panel_references.resize(at(block.padded() * columns.num_panels));
    block.tile = tile.data();
    block.panel_references = panel_references.data();
    block.row_stride = by_rows ? columns.padded() : columns.width;
    block.panel_stride = by_rows ? columns.width : block.padded() * columns.width;
    kernels.exponentials(operand, columns, block);
  }

  double value(std::int64_t r, std::int64_t j) const {
    return tile[at(j / columns.width * block.panel_stride + r * block.row_stride +
                   j % columns.width)];
  }
  /// Relative error of 2^logit: of the logits, and of the power.
  double tolerance() const {
    double largest = 1;
    for (const double logit : logits) {
      if (std::isfinite(logit)) largest = std::max(largest, std::abs(logit));
    }
    return 2 * tol<T>(static_cast<double>(depth + 1)) * largest;
  }
};

/// What a block makes of its logits, whatever they are.
template <class T>
void expect_block(Block<T>& b) {
  const double relative = b.tolerance();
  const double underflow = std::exp2(kHeadroom) * 2 * std::numeric_limits<T>::min();
  for (const bool by_rows : {false, true}) {
    b.make(by_rows);
    const std::vector<double> sums = b.sums;
    std::vector<T> scales(at(b.block.padded()), T{0});
    for (std::int64_t r = 0; r < b.count; r += 2) {
      scales[at(r)] = static_cast<T>(1 / (b.sums[at(r)] + (b.sums[at(r)] == 0)));
    }
    std::vector<double> totals(at(b.columns.padded()), 3.0), expected(totals);
    b.kernels.add_columns(b.block, b.columns, scales.data(), totals.data());
    b.kernels.use_last_references(b.block, b.columns);
    for (std::int64_t r = 0; r < b.count; ++r) {
      const double reference = b.references[at(r)];
      double sum = 0;
      for (std::int64_t j = 0; j < b.m; ++j) {
        const double logit = b.logits[at(r * b.m + j)];
        const double exact = logit == -kInfinity ? 0 : std::exp2(logit - reference);
        ASSERT_NEAR(b.value(r, j), exact, relative * exact + underflow) << r << ", " << j;
        ASSERT_LE(exact, std::exp2(kHeadroom + .01));
        sum += exact;
        expected[at(j)] += scales[at(r)] * exact;
      }
      ASSERT_NEAR(sums[at(r)], sum, (relative + tol<T>(24)) * sum) << r;
    }
    for (std::int64_t j = 0; j < b.m; ++j) {
      ASSERT_NEAR(totals[at(j)], expected[at(j)],
                  (relative + tol<T>(static_cast<double>(b.count))) * expected[at(j)])
          << j;
    }
    for (std::int64_t j = b.m; j < b.columns.padded(); ++j) ASSERT_EQ(totals[at(j)], 3);
  }
  const std::vector<double> with_tile = b.sums;
  b.block.tile = nullptr;
  b.kernels.exponentials(b.operand, b.columns, b.block);
  ASSERT_EQ(b.sums, with_tile);  // to the bit: the same operations
}

template <class T>
class RowBlocks : public testing::Test {
 protected:
  /// biases: M -> the columns' biases.
  template <class Biases>
  static void for_all(const Biases& biases) {
    for (const InstructionSet set : available_sets()) {
      for (const std::int64_t rows : {1, 7, 16, 37, 128}) {
        for (const std::int64_t m : {1, 47, 48, 49, 700}) {
          for (const std::int64_t d : {0, 1, 5}) {
            SCOPED_TRACE(testing::Message()
                         << name_of(set) << ", rows " << rows << ", columns " << m << ", D " << d);
            Block<T> block(set, rows, m, d, biases(m));
            expect_block(block);
            if (testing::Test::HasFatalFailure()) return;
          }
        }
      }
    }
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(RowBlocks, Types);

TYPED_TEST(RowBlocks, hold_the_powers_of_their_logits) {
  this->for_all([](std::int64_t m) { return uniform(m, -40, 0, 4); });
}

// The reference rises all the time, far and in small steps; and what came first vanishes.
TYPED_TEST(RowBlocks, follow_logits_that_rise_from_column_to_column) {
  for (const double step : {.4, 1.7, 20.}) {
    this->for_all([&](std::int64_t m) {
      std::vector<double> biases(at(m));
      for (std::size_t j = 0; j < biases.size(); ++j) biases[j] = step * static_cast<double>(j);
      return biases;
    });
  }
}

TYPED_TEST(RowBlocks, skip_absent_columns_before_between_and_behind_the_others) {
  this->for_all([](std::int64_t m) {
    std::vector<double> biases(at(m), -kInfinity);
    for (std::size_t j = 300; j < 310 && j < biases.size(); ++j) biases[j] = -500;
    if (m > 650) biases[650] = 12;
    return biases;
  });
}

TYPED_TEST(RowBlocks, sum_to_nothing_when_every_logit_is_minus_infinity) {
  for (const InstructionSet set : available_sets()) {
    Block<TypeParam> b(set, 9, 100, 2, std::vector<double>(100, -kInfinity));
    b.make(true);
    b.kernels.use_last_references(b.block, b.columns);
    for (std::int64_t r = 0; r < 9; ++r) {
      EXPECT_EQ(b.sums[at(r)], 0);
      for (std::int64_t j = 0; j < 100; ++j) EXPECT_EQ(b.value(r, j), 0);
    }
  }
}

TYPED_TEST(RowBlocks, pass_not_a_number_on_to_the_sum) {
  for (const InstructionSet set : available_sets()) {
    for (const std::size_t place : {0, 50, 99}) {
      std::vector<double> biases = uniform(100, -1, 1, 5);
      biases[place] = kNan;
      Block<TypeParam> b(set, 3, 100, 2, biases);
      b.make(false);
      for (std::int64_t r = 0; r < 3; ++r) EXPECT_TRUE(std::isnan(b.sums[at(r)])) << place;
    }
  }
}

TYPED_TEST(RowBlocks, give_the_costs_that_their_products_are_the_rest_of) {
  using T = TypeParam;
  for (const InstructionSet set : available_sets()) {
    for (const std::int64_t m : {1, 47, 48, 49, 200}) {
      Block<T> b(set, 37, m, 5, std::vector<double>(at(m), 0.0));
      b.columns.scale = .5;  // logits are half of what the costs lack
      const std::vector<double> row_parts = uniform(37, 0, 9, 11),
                                column_parts = uniform(m, 0, 9, 12);
      constexpr std::int64_t kGap = 3;
      std::vector<T> tile(at(37 * (m + kGap)), T{-7});
      b.kernels.costs(b.operand, b.columns, 37, row_parts.data(), column_parts.data(), T{4},
                      m + kGap, tile.data());
      for (std::int64_t r = 0; r < 37; ++r) {
        for (std::int64_t j = 0; j < m; ++j) {
          const double cost = row_parts[at(r)] + column_parts[at(j)] - 2 * b.logits[at(r * m + j)];
          ASSERT_NEAR(tile[at(r * (m + kGap) + j)], std::max(cost, 4.), 40 * tol<T>(6)) << r << j;
        }
        for (std::int64_t j = m; j < m + kGap; ++j) ASSERT_EQ(tile[at(r * (m + kGap) + j)], -7);
      }
    }
  }
}

TYPED_TEST(RowBlocks, add_the_products_of_rows_with_values) {
  using T = TypeParam;
  for (const InstructionSet set : available_sets()) {
    const VectorKernels<T>& kernels = vector_kernels<T>(set);
    for (const std::int64_t n : {1, 63, 64, 65, 300}) {
      for (const std::int64_t k : {1, 4, 15, 16, 17, 47, 48, 49, 100}) {
        const std::int64_t num_rows = 2 * kernels.row_group, stride = n + 5;
        const std::vector<double> x = uniform(num_rows * stride, 0, 1, 13),
                                  v = uniform(n * k, -1, 1, 14);
        const std::vector<T> rows(x.begin(), x.end()), values(v.begin(), v.end());
        std::vector<T> scratch(at(kTermsInT * round_up(k, kernels.panel_width)));
        std::vector<double> sums(at(num_rows * k), .5);
        kernels.add_products(rows.data(), stride, num_rows, values.data(), n, k, scratch.data(),
                             sums.data());
        for (std::int64_t r = 0; r < num_rows; ++r) {
          for (std::int64_t c = 0; c < k; ++c) {
            double expected = .5;
            for (std::int64_t j = 0; j < n; ++j) {
              expected += static_cast<double>(rows[at(r * stride + j)]) *
                          static_cast<double>(values[at(j * k + c)]);
            }
            ASSERT_NEAR(sums[at(r * k + c)], expected, tol<T>(static_cast<double>(n)))
                << name_of(set) << ", n " << n << ", k " << k << ": " << r << ", " << c;
          }
        }
      }
    }
  }
}

TYPED_TEST(RowBlocks, add_no_rows_of_scale_zero_whatever_they_hold) {
  for (const InstructionSet set : available_sets()) {
    Block<TypeParam> b(set, 10, 60, 0, std::vector<double>(60, 0.0));
    for (std::size_t j = 0; j < 60; ++j) b.costs[3 * 60 + j] = static_cast<TypeParam>(kNan);
    b.make(false);
    std::vector<TypeParam> scales(16, TypeParam{1}), shifts(16, TypeParam{0});
    scales[3] = 0;
    std::vector<double> totals(at(b.columns.padded()), 0.0), plan(totals);
    b.kernels.add_columns(b.block, b.columns, scales.data(), totals.data());
    std::fill(scales.begin() + 10, scales.end(), TypeParam{0});
    b.kernels.plan_columns(b.operand, b.columns, b.count, shifts.data(), scales.data(),
                           plan.data());
    for (std::size_t j = 0; j < 60; ++j) {
      EXPECT_TRUE(std::isfinite(totals[j]) && totals[j] > 0);
      EXPECT_TRUE(std::isfinite(plan[j]) && plan[j] > 0);
    }
  }
}

TYPED_TEST(RowBlocks, plan_columns_are_scaled_sums_for_given_shifts) {
  for (const InstructionSet set : available_sets()) {
    for (const std::int64_t d : {0, 3}) {
      Block<TypeParam> b(set, 21, 130, d, uniform(130, -3, 3, 6));
      const std::vector<double> s = uniform(32, -1, 1, 7), t = uniform(32, -5, 5, 8);
      std::vector<TypeParam> scales(s.begin(), s.end()), shifts(t.begin(), t.end());
      std::fill(scales.begin() + 21, scales.end(), TypeParam{0});
      std::vector<double> totals(at(b.columns.padded()), 1.0);
      b.kernels.plan_columns(b.operand, b.columns, b.count, shifts.data(), scales.data(),
                             totals.data());
      for (std::int64_t j = 0; j < b.m; ++j) {
        double expected = 1;
        double magnitude = 1;
        for (std::int64_t r = 0; r < b.count; ++r) {
          const double term = scales[at(r)] * std::exp2(b.logits[at(r * b.m + j)] - shifts[at(r)]);
          expected += term;
          magnitude += std::abs(term);
        }
        ASSERT_NEAR(totals[at(j)], expected, (b.tolerance() + tol<TypeParam>(21)) * magnitude);
      }
    }
  }
}

TYPED_TEST(RowBlocks, packed_points_are_grouped_transposed_scaled_and_padded_with_zeros) {
  for (const InstructionSet set : available_sets()) {
    for (const std::int64_t d : {1, 3, 16, 35}) {
      const std::int64_t count = 13;
      const std::int64_t group = 8;
      std::vector<TypeParam> points(at(count * d)), packed(at(16 * d), TypeParam{-1});
      for (std::size_t k = 0; k < points.size(); ++k) points[k] = static_cast<TypeParam>(k + 1);
      vector_kernels<TypeParam>(set).pack(points.data(), count, d, group, TypeParam{2},
                                          packed.data());
      for (std::int64_t i = 0; i < 16; ++i) {
        for (std::int64_t k = 0; k < d; ++k) {
          const TypeParam expected = i < count ? 2 * points[at(i * d + k)] : TypeParam{0};
          ASSERT_EQ(packed[at(i / group * group * d + k * group + i % group)], expected);
        }
      }
    }
  }
}

}  // namespace
}  // namespace kantor::kernels::test
