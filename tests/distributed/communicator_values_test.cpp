// What each verb leaves in the buffers, for every type and size, against an oracle that every rank
// computes by itself.

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <span>
#include <vector>

#include "tests/distributed/contract.hpp"

namespace kantor::test {
namespace {

template <class T>
struct Numbers : OnAllRanks {};
template <class T>
struct Reals : OnAllRanks {};
template <class T>
struct Elements : OnAllRanks {};
using RealTypes = testing::Types<float, double>;
using NumberTypes = testing::Types<float, double, std::int32_t, std::int64_t>;
using ElementTypes = testing::Types<float, double, std::int32_t, std::int64_t, std::byte>;
TYPED_TEST_SUITE(Numbers, NumberTypes);
TYPED_TEST_SUITE(Reals, RealTypes);
TYPED_TEST_SUITE(Elements, ElementTypes);

template <class T>
std::vector<T> reduced(std::vector<T> mine, ReduceOp op) {
  world().all_reduce(std::span(mine), op, "values");
  return mine;
}

}  // namespace

TYPED_TEST(Numbers, all_reduce_sums_like_the_oracle) {
  const int ranks = world().size();
  for (const std::size_t size : kSizes) {
    const auto sum = reduced(values<TypeParam>(world().rank(), size), ReduceOp::sum);
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < size; ++i) wrong += agrees(sum[i], ranks, i) ? 0 : 1;
    EXPECT_EQ(wrong, 0u) << "of " << size;
    EXPECT_TRUE(same_bits_on_all_ranks(std::span<const TypeParam>(sum))) << size;
  }
}

TYPED_TEST(Numbers, all_reduce_takes_the_maximum) {
  for (const std::size_t size : kSizes) {
    auto expected = values<TypeParam>(0, size);
    for (int rank = 1; rank < world().size(); ++rank) {
      for (std::size_t i = 0; i < size; ++i) {
        expected[i] = std::max(expected[i], value<TypeParam>(rank, i));
      }
    }
    EXPECT_EQ(reduced(values<TypeParam>(world().rank(), size), ReduceOp::max), expected) << size;
  }
}

TYPED_TEST(Numbers, all_reduce_repeats_to_the_bit) {
  for (const std::size_t size : kSizes) {
    const auto mine = values<TypeParam>(world().rank(), size);
    const auto first = reduced(mine, ReduceOp::sum);
    for (int repeat = 1; repeat < 20; ++repeat) {
      const auto again = reduced(mine, ReduceOp::sum);
      ASSERT_TRUE(same_bits<TypeParam>(first, again)) << "repeat " << repeat << " of " << size;
    }
  }
}

TYPED_TEST(Numbers, reduce_scatter_sums_each_ranks_slice) {
  const int ranks = world().size();
  for (const std::size_t size : kSizes) {
    const auto all = values<TypeParam>(world().rank(), size * static_cast<std::size_t>(ranks));
    std::vector<TypeParam> part(size);
    world().reduce_scatter(std::span<const TypeParam>(all), std::span(part), "slices");
    const std::size_t first = size * static_cast<std::size_t>(world().rank());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < size; ++i) wrong += agrees(part[i], ranks, first + i) ? 0 : 1;
    EXPECT_EQ(wrong, 0u) << "of " << size;
    EXPECT_EQ(all, values<TypeParam>(world().rank(), all.size())) << "the input was changed";
  }
}

TYPED_TEST(Elements, all_gather_joins_the_parts_in_rank_order) {
  for (const std::size_t size : kSizes) {
    const auto part = values<TypeParam>(world().rank(), size);
    std::vector<TypeParam> all(size * static_cast<std::size_t>(world().size()));
    world().all_gather(std::span<const TypeParam>(part), std::span(all), "parts");
    std::vector<TypeParam> expected;
    for (int rank = 0; rank < world().size(); ++rank) {
      const auto theirs = values<TypeParam>(rank, size);
      expected.insert(expected.end(), theirs.begin(), theirs.end());
    }
    EXPECT_EQ(all, expected) << size;
  }
}

TYPED_TEST(Elements, broadcast_copies_the_roots_values) {
  for (const std::size_t size : kSizes) {
    for (int root = 0; root < world().size(); ++root) {
      auto buffer = values<TypeParam>(world().rank(), size);
      world().broadcast(std::span(buffer), root, "values");
      EXPECT_EQ(buffer, values<TypeParam>(root, size)) << size << " from " << root;
    }
  }
}

TYPED_TEST(Elements, verbs_accept_empty_spans_without_memory) {
  const std::span<TypeParam> none;
  const std::span<const TypeParam> no_part;
  world().all_gather(no_part, none, "nothing");
  world().broadcast(none, world().size() - 1, "nothing");
  if constexpr (!std::is_same_v<TypeParam, std::byte>) {
    world().all_reduce(none, ReduceOp::sum, "nothing");
    world().reduce_scatter(no_part, none, "nothing");
  }
  EXPECT_EQ(world().agree(world().rank(), "still in step"), world().size() - 1);
}

TYPED_TEST(Reals, sum_carries_nan_and_infinity_of_one_rank_to_all) {
  constexpr auto kInf = std::numeric_limits<TypeParam>::infinity();
  constexpr auto kNan = std::numeric_limits<TypeParam>::quiet_NaN();
  const int last = world().size() - 1;
  for (const std::size_t size : {std::size_t{5}, std::size_t{100003}}) {
    std::vector<TypeParam> mine(size, 1);
    if (world().rank() == last) {
      mine[0] = kNan;
      mine[1] = kInf;
      mine[2] = -kInf;
    }
    if (world().rank() == 0) mine[size - 1] = kNan;
    const auto sum = reduced(mine, ReduceOp::sum);
    EXPECT_TRUE(std::isnan(sum[0]));
    EXPECT_EQ(sum[1], kInf);
    EXPECT_EQ(sum[2], -kInf);
    EXPECT_TRUE(std::isnan(sum[size - 1]));
    const auto ranks = static_cast<TypeParam>(world().size());
    EXPECT_EQ(std::count(sum.begin() + 3, sum.end() - 1, ranks), std::ssize(sum) - 4)
        << "the neighbours were touched";
  }
}

TYPED_TEST(Reals, sum_of_opposite_infinities_is_nan) {
  constexpr auto kInf = std::numeric_limits<TypeParam>::infinity();
  const auto sum =
      reduced(std::vector<TypeParam>{world().rank() == 0 ? kInf : -kInf}, ReduceOp::sum);
  if (world().size() == 1) {
    EXPECT_EQ(sum[0], kInf);
  } else {
    EXPECT_TRUE(std::isnan(sum[0]));
  }
}

TYPED_TEST(Reals, sum_keeps_denormals) {
  constexpr auto kTiny = std::numeric_limits<TypeParam>::denorm_min();
  const auto sum = reduced(std::vector<TypeParam>(1023, kTiny), ReduceOp::sum);
  const auto expected = static_cast<TypeParam>(world().size()) * kTiny;
  EXPECT_EQ(std::count(sum.begin(), sum.end(), expected), std::ssize(sum));
}

TYPED_TEST(Reals, maximum_has_one_answer_whatever_the_order_of_ranks) {
  constexpr auto kInf = std::numeric_limits<TypeParam>::infinity();
  constexpr auto kNan = std::numeric_limits<TypeParam>::quiet_NaN();
  for (int special = 0; special < world().size(); ++special) {
    const bool is_mine = world().rank() == special;
    const TypeParam one = 1, zero = 0;
    // A NaN on one rank; infinities; -0 on all ranks but one; -inf on all but one.
    const auto largest =
        reduced(std::vector<TypeParam>{is_mine ? kNan : one, is_mine ? kInf : one,
                                       is_mine ? zero : -zero, is_mine ? one : -kInf, -kInf},
                ReduceOp::max);
    EXPECT_TRUE(std::isnan(largest[0])) << special;
    EXPECT_EQ(largest[1], kInf) << special;
    EXPECT_EQ(largest[2], 0) << special;
    EXPECT_FALSE(std::signbit(largest[2])) << special;
    EXPECT_EQ(largest[3], one) << special;
    EXPECT_EQ(largest[4], -kInf) << special;
    EXPECT_TRUE(same_bits_on_all_ranks(std::span<const TypeParam>(largest)));
  }
}

}  // namespace kantor::test
