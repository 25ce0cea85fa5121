// Starts from a run directory, from Gaussians, from a subsample.

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <limits>
#include <string>
#include <vector>

#include "runtime/data/npy.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/solvers/dense_eot.hpp"
#include "tests/solvers/sinkhorn/sinkhorn_settings.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

Outcome solve(const Problem& problem, const std::string& warm_start, double tolerance,
              std::int64_t points = 2000) {
  TestRun run(world());
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = 20000;
  config.warm_start = warm_start;
  config.warm_start_points = points;
  return sinkhorn::solve(config, problem, run.context);
}

class WarmStart : public testing::Test {
 protected:
  void write(const std::string& folder, const std::vector<double>& g) const {
    std::filesystem::create_directories(folder_.path() / folder);
    const std::int64_t shape[] = {std::ssize(g)};
    data::write_npy(folder_.file(folder + "/1.npy"), g, shape);
  }
  std::string directory() const { return folder_.path().string(); }

  TemporaryDirectory folder_;
};

TEST_F(WarmStart, from_its_own_end_needs_one_iteration) {
  for (const Penalty& rho : {Penalty{}, Penalty{1, 1}}) {
    Problem problem = golden_problem();
    rho_of(problem) = rho;
    const Outcome cold = solve(problem, "", 1e-9);
    EXPECT_GT(cold.iterations, 50);
    write("potentials", cold.potentials.at(1));
    const Outcome warm = solve(problem, directory(), 1e-9);
    EXPECT_EQ(warm.iterations, 1);
    EXPECT_TRUE(warm.converged.value());
    EXPECT_NEAR(warm.dual_value, cold.dual_value, 1e-12);
  }
}

TEST_F(WarmStart, takes_the_potentials_of_a_certificate_where_there_are_any) {
  const Problem problem = golden_problem();
  write("potentials", std::vector<double>(6, 0.0));
  write("certificate", solve(problem, "", 1e-9).potentials.at(1));
  EXPECT_EQ(solve(problem, directory(), 1e-9).iterations, 1);
}

TEST_F(WarmStart, refuses_what_is_not_of_this_problem) {
  const auto refusal = [&] {
    return message_of<DataError>([&] { solve(golden_problem(), directory(), 1e-9); });
  };
  EXPECT_NE(refusal().find("potentials/1.npy"), std::string::npos);  // nothing there
  write("potentials", std::vector<double>(7, 0.0));
  EXPECT_NE(refusal().find("7 values, but marginal 1 has 6"), std::string::npos);
  std::vector<double> g(6, 0.0);
  g[4] = std::numeric_limits<double>::infinity();
  write("potentials", g);
  EXPECT_NE(refusal().find("value 4"), std::string::npos);
  const std::string misspelt =
      message_of<DataError>([&] { solve(golden_problem(), "gausian", 1e-9); });
  EXPECT_NE(misspelt.find("\"gaussian\""), std::string::npos) << misspelt;
}

/// Between Gaussians the start is the solution, to the quadrature's rounding.
TEST(GaussianStart, is_the_solution_between_gaussians) {
  const double l11 = std::sqrt(.9 - .04 / .6);
  for (const CostKind cost : {CostKind::sqeuclidean, CostKind::half_sqeuclidean, CostKind::dot}) {
    const Problem problem =
        make_problem({cost}, 1, gaussian_grid({.2, -.1}, {1, 0, .4, std::sqrt(.5 - .16)}, .5),
                     gaussian_grid({-.3, .4}, {std::sqrt(.6), 0, -.2 / std::sqrt(.6), l11}, .5));
    EXPECT_GT(solve(problem, "", 1e-9).iterations, 5) << cost_name(cost);
    EXPECT_EQ(solve(problem, "gaussian", 1e-9).iterations, 1) << cost_name(cost);
  }
}

TEST(SubsampleStart, saves_iterations_on_the_whole) {
  const std::vector<double> x = kernels::test::uniform(2 * 400, 0, 1, 5);
  const std::vector<double> y = kernels::test::uniform(2 * 350, .2, 1.4, 6);
  Problem problem = make_problem({}, .01, make_marginal(x, 2), make_marginal(y, 2));
  const Outcome cold = solve(problem, "", 1e-2);
  const Outcome warm = solve(problem, "subsample", 1e-2, 200);
  EXPECT_TRUE(warm.converged.value());
  EXPECT_LT(warm.iterations, cold.iterations / 2);
  // One side is small enough to take part as a whole; then both are.
  EXPECT_TRUE(solve(problem, "subsample", 1e-2, 375).converged.value());
  EXPECT_EQ(solve(problem, "subsample", 1e-2, 400).iterations, cold.iterations);
}

TEST(SubsampleStart, says_that_it_would_be_the_problem) {
  TestRun run(world());
  const TemporaryDirectory folder;
  run.log.open_file(folder.file("log.txt"));
  sinkhorn::SinkhornConfig config;
  config.warm_start = "subsample";
  config.warm_start_points = 8;  // of 8 and 6
  sinkhorn::solve(config, golden_problem(), run.context);
  std::ifstream stream(folder.file("log.txt"));
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  EXPECT_NE(text.find("a subsample of 8 points"), std::string::npos) << text;
}

TEST(SinkhornSettings, read_the_start) {
  EXPECT_EQ(read_sinkhorn({}).warm_start, "");
  EXPECT_EQ(read_sinkhorn({"warm_start=gaussian"}).warm_start, "gaussian");
  const std::string path = read_sinkhorn({"warm_start=runs/other"}).warm_start;
  EXPECT_TRUE(path.ends_with("runs/other")) << path;
  EXPECT_EQ(read_sinkhorn({"warm_start=subsample", "warm_start_points=50"}).warm_start_points, 50);
  for (const char* setting : {"warm_start_points=0", "warm_start=3", "warm_start_points=few"}) {
    EXPECT_NE(message_of<ConfigError>([&] { read_sinkhorn({setting}); }).find("warm_start"),
              std::string::npos);
  }
}

}  // namespace
}  // namespace kantor::test
