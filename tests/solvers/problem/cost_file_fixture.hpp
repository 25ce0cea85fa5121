#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "runtime/data/npy.hpp"
#include "solvers/sinkhorn/sinkhorn.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {

/// Problems whose costs are a file.
class CostFile : public testing::Test {
 protected:
  void write(const std::string& name, const std::vector<double>& values,
             const std::vector<std::int64_t>& shape) const {
    data::write_npy(folder_.file(name), values, shape);
  }
  /// `keys` of [problem]; `marginals` as TOML tables, of which NAME.npy are files of the test.
  ProblemConfig config(const std::string& keys, const std::string& marginals = "") const {
    std::string text = "[problem]\ncost = \"matrix\"\ncost_file = \"C.npy\"\n" + keys + "\n" +
                       (marginals.empty() ? "" : "marginals = " + marginals + "\n");
    for (auto at = text.find(".npy"); at != std::string::npos; at = text.find(".npy", at + 4)) {
      const auto quote = text.rfind('"', at);
      text.insert(quote + 1, folder_.file(""));
      at = text.find(".npy", at);
    }
    config::Value resolved{config::Table{}, "", ""};
    return config::read<ProblemConfig>(parsed(text), "problem", resolved);
  }
  Problem load(const ProblemConfig& config) const {
    TestRun run(world());
    return load_problem(config, run.context);
  }
  static Outcome solve(const Problem& problem, const std::string& precision = "float64",
                       double tolerance = 1e-12) {
    TestRun run(world(), precision);
    sinkhorn::SinkhornConfig config;
    config.tolerance = tolerance;
    return sinkhorn::solve(config, problem, run.context);
  }

  TemporaryDirectory folder_;
};

}  // namespace kantor::test
