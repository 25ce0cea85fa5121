// The verbs know no solver: the program with these lists, as a person calls it.

#include <gmock/gmock.h>

#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;

class ToyProgram : public Launch {};

TEST_F(ToyProgram, runs_tells_and_evaluates_what_the_toy_solves) {
  write_points("x.npy", 40, 2, 0);
  write_points("y.npy", 50, 2, 0.5);
  write("problem.toml",
        "[problem]\nkind = \"toy\"\nepsilon = { relative = \"mean\" }\n"
        "[[problem.marginals]]\npath = \"x.npy\"\n[[problem.marginals]]\npath = \"y.npy\"\n"
        "[solver]\nname = \"toy\"\ntoy = { steps = 30 }\n");
  EXPECT_THAT(kantor({"keys", "problem"}).out, HasSubstr("anneal = 4.0"));
  EXPECT_THAT(kantor({"run", "problem.toml", "--dry-run"}).out, HasSubstr("toy by toy: 40 x 50"));
  const ProcessOutcome run = kantor_on_ranks(2, {"run", "problem.toml", "--out", "out"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("networks"));
  EXPECT_THAT(read("out/result.json"), HasSubstr("\"fit_error\": ["));
  EXPECT_THAT(read("out/metrics.jsonl"), HasSubstr("\"training/second.train\""));
  EXPECT_THAT(kantor({"inspect", "out"}).out, HasSubstr("networks"));
  const ProcessOutcome eval = kantor({"eval", "out", "--points", "y.npy", "--out", "at_y"});
  EXPECT_EQ(eval.exit_code, 0) << eval.err;
  EXPECT_TRUE(exists("at_y/map.npy"));
}

}  // namespace
}  // namespace kantor::test
