// What is seen and heard of an evaluation that takes long.

#include "solvers/eot/evaluation_progress.hpp"

#include <gmock/gmock.h>

#include "tests/solvers/small_problem.hpp"
#include "tests/support/captured_stderr.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;

/// Two passes in two parts each. @return what a person sees.
std::string shown(TestRun& run) {
  const CapturedStderr captured;
  EvaluationProgress evaluation(2, 7, {}, run.context);
  for (int pass = 0; pass < 2; ++pass) {
    evaluation.begin(2);
    evaluation.pause();
  }
  evaluation.finish();
  return captured.text();
}

TEST(EvaluationProgress, has_a_line_that_tells_how_far_it_is) {
  TestRun run(world());
  run.context.show_progress = true;
  EXPECT_THAT(shown(run), HasSubstr("evaluation, %  100/100  100%  pass 2"));
  run.context.show_progress = false;
  EXPECT_EQ(shown(run), "");
}

TEST(EvaluationProgress, hears_a_request_to_stop_between_parts) {
  TestRun run(world());
  run.stop.ask_at(2);
  EvaluationProgress evaluation(2, 7, {}, run.context);
  evaluation.begin(3);
  evaluation.pause();
  try {
    evaluation.pause();
    ADD_FAILURE() << "did not stop";
  } catch (const Stopped& stop) {
    EXPECT_EQ(stop.step, 7);
  }
}

}  // namespace
}  // namespace kantor::test
