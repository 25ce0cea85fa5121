#pragma once

#include <gtest/gtest.h>

#include <vector>

namespace kantor::test {

/// Each number of a vector.
inline void expect_near(const std::vector<double>& actual, const std::vector<double>& expected,
                        double tolerance) {
  ASSERT_EQ(actual.size(), expected.size());
  for (std::size_t i = 0; i < actual.size(); ++i) EXPECT_NEAR(actual[i], expected[i], tolerance);
}

}  // namespace kantor::test
