#include "runtime/random/sampler.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "runtime/core/error.hpp"

namespace kantor::random {
namespace {

std::vector<std::int64_t> draws(Sampler sampler, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(count));
  sampler.rows(first, rows);
  return rows;
}

TEST(Sampler, takes_every_row_once_a_pass_and_each_pass_in_its_own_order) {
  const Sampler sampler(100, 0, 7, 1);
  std::vector<std::int64_t> expected(100);
  std::iota(expected.begin(), expected.end(), 0);
  std::vector<std::int64_t> first = draws(sampler, 0, 100);
  std::vector<std::int64_t> second = draws(sampler, 100, 100);
  EXPECT_NE(first, second);
  for (auto* pass : {&first, &second}) {
    std::sort(pass->begin(), pass->end());
    EXPECT_EQ(*pass, expected);
  }
}

TEST(Sampler, draws_the_same_rows_however_they_are_asked_for) {
  for (const std::int64_t num_heldout : {0, 9}) {
    Sampler sampler(40, num_heldout, 3, 0);
    const std::vector<std::int64_t> all = draws(sampler, 5, 200);  // several passes at once
    for (std::int64_t i = 0; i < 200; ++i) {
      ASSERT_EQ(sampler.row(5 + i), all[static_cast<std::size_t>(i)]) << "draw " << 5 + i;
    }
    EXPECT_EQ(draws(sampler, 77, 50), std::vector(all.begin() + 72, all.begin() + 122));
  }
}

TEST(Sampler, keeps_held_out_rows_out) {
  const Sampler sampler(40, 10, 9, 0);
  const std::vector<std::int64_t> heldout = sampler.heldout_rows();
  ASSERT_EQ(heldout.size(), 10u);
  for (const std::int64_t row : draws(sampler, 0, 200)) {
    EXPECT_EQ(std::count(heldout.begin(), heldout.end(), row), 0);
  }
}

TEST(Sampler, refuses_to_hold_all_rows_out) {
  EXPECT_THROW(Sampler(4, 4, 1, 0), NumericError);
  EXPECT_THROW(Sampler(4, -1, 1, 0), NumericError);
}

}  // namespace
}  // namespace kantor::random
