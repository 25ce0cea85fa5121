#include "solvers/sinkhorn/implausible.hpp"

#include <gtest/gtest.h>

#include <limits>

namespace kantor::sinkhorn {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

/// Whether the run is given up within so many observations of this error.
bool gives_up(double error, int num_observations) {
  Implausible implausible;
  for (int i = 0; i < num_observations; ++i) {
    if (implausible.observe(error)) return true;
  }
  return false;
}

TEST(Implausible, gives_up_where_errors_stay_beyond_what_any_plan_can_have) {
  EXPECT_TRUE(gives_up(62, 20));
  EXPECT_TRUE(gives_up(kInfinite, 20));
  EXPECT_TRUE(gives_up(std::numeric_limits<double>::quiet_NaN(), 20));
}

TEST(Implausible, lets_pass_what_a_plan_can_have) {
  EXPECT_FALSE(gives_up(2, 1000));
  EXPECT_FALSE(gives_up(0, 1000));
}

TEST(Implausible, lets_pass_what_is_over_soon) {
  Implausible implausible;
  for (int i = 0; i < 1000; ++i) EXPECT_FALSE(implausible.observe(i % 20 == 0 ? 1.5 : kInfinite));
}

}  // namespace
}  // namespace kantor::sinkhorn
