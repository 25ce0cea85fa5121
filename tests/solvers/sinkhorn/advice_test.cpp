#include "solvers/sinkhorn/advice.hpp"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace kantor::sinkhorn {
namespace {

bool says(const std::string& line, const char* what) { return line.find(what) != line.npos; }

SinkhornConfig settings(double tolerance) {
  SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = 50;
  return config;
}

TEST(Advice, tells_what_would_reach_the_tolerance) {
  const SinkhornConfig config = settings(1e-10);
  std::vector<double> error = {1e-8, 0};
  Shortfall shortfall{
      .marginal_error = error, .iterations = 50, .upper = 1, .or_else = "; or else"};
  EXPECT_TRUE(says(advice_of(shortfall, config, "float32"), "max_iterations"));
  EXPECT_TRUE(advice_of(shortfall, config, "float32").ends_with("; or else"));
  shortfall.is_stalled = true;
  const std::string stalled = advice_of(shortfall, config, "float32");
  EXPECT_TRUE(says(stalled, "float64") && !says(stalled, "max_iterations")) << stalled;
  EXPECT_TRUE(says(advice_of(shortfall, config, "float64"), "max_iterations"));  // no help then
  shortfall.is_stalled = false;
  shortfall.iterations = 3;  // its own measure was below the tolerance, the one in double is not
  EXPECT_TRUE(says(advice_of(shortfall, config, "float32"), "float64"));
  shortfall.iterations = 50;
  error = {1e-8, std::numeric_limits<double>::infinity()};
  EXPECT_TRUE(says(advice_of(shortfall, config, "float32"), "use run.precision = \"float64\" or "));
  EXPECT_TRUE(says(advice_of(shortfall, config, "float64"), "; in a new --out, raise problem.eps"));
}

TEST(Advice, tells_of_a_gap_that_the_tolerance_does_not_explain) {
  const SinkhornConfig config = settings(1e-3);
  std::vector<double> error = {9e-4, 0};
  Shortfall shortfall{
      .marginal_error = error, .iterations = 50, .has_wide_gap = true, .lower = .5, .upper = 1600};
  const std::string line = advice_of(shortfall, config, "float32");
  EXPECT_TRUE(says(line, "the proven gap is 1.6e+03, from 0.5 to 1600")) << line;
  EXPECT_TRUE(says(line, "lower solver.sinkhorn.tolerance")) << line;
  error[0] = 9e-2;  // a gap is no wonder
  EXPECT_TRUE(says(advice_of(shortfall, config, "float32"), "max_iterations"));
  shortfall.upper.reset();
  EXPECT_TRUE(says(advice_of(shortfall, config, "float32"), "no plan was found"));
}

}  // namespace
}  // namespace kantor::sinkhorn
