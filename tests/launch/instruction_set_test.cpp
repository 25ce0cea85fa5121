// KANTOR_INSTRUCTION_SET: obeyed by all of the program, told, and refused before anything is
// written.

#include "runtime/core/instruction_set.hpp"

#include <gmock/gmock.h>

#include <cstdlib>
#include <filesystem>

#include "runtime/core/error.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

class InstructionSetOfAProgram : public Launch {
 protected:
  InstructionSetOfAProgram() { write_small_problem(); }
  /// kantor WORDS.. on ranks of which each has a set of its own.
  ProcessOutcome under(const std::vector<std::string>& sets, const std::string& words) const {
    std::string all;
    for (const std::string& set : sets) all += " " + set;
    return script_on_ranks(static_cast<int>(sets.size()),
                           concat("set --", all, "; shift $OMPI_COMM_WORLD_RANK; export ",
                                  kInstructionSetVariable, "=$1; exec \"$KANTOR\" ", words));
  }
};

TEST_F(InstructionSetOfAProgram, is_told_by_run_and_doctor_and_obeyed_by_libtorch) {
  const ProcessOutcome ran = under({"portable"}, "run problem.toml --out out");
  EXPECT_EQ(ran.exit_code, 0) << ran.err;
  EXPECT_THAT(ran.err, HasSubstr("float64, portable"));
  EXPECT_THAT(read("out/environment.json"), HasSubstr("\"instruction_set\": \"portable\""));
  EXPECT_THAT(under({"portable"}, "doctor").out,
              AllOf(ContainsRegex("processor .*, instruction set portable"),
                    ContainsRegex("LibTorch .*, DEFAULT,")));

  const ProcessOutcome free = kantor({"run", "problem.toml", "--out", "best"});
  const char* asked = std::getenv(kInstructionSetVariable);
  EXPECT_THAT(free.err, HasSubstr(concat("float64, ", name_of(choose_instruction_set(asked)))));
}

TEST_F(InstructionSetOfAProgram, is_refused_by_name_before_anything_is_written) {
  for (const std::string words : {"run problem.toml --out out", "doctor"}) {
    expect_refused(under({"sse9"}, words), 78,
                   {kInstructionSetVariable, "\"sse9\"", "portable, avx2, avx512"});
  }
  EXPECT_FALSE(exists("out"));
}

/// Where the processor has but one, ranks cannot differ.
TEST_F(InstructionSetOfAProgram, is_the_same_on_all_ranks) {
  const std::string best = name_of(best_instruction_set());
  const ProcessOutcome outcome = under({best, "portable"}, "run problem.toml --out out");
  const ProcessOutcome doctor = under({best, "portable"}, "doctor");
  if (best == "portable") {
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(doctor.exit_code, 0) << doctor.out;
    return;
  }
  expect_refused(outcome, 78,
                 {"ranks work with different instruction sets", best,
                  concat(kInstructionSetVariable, "=portable")});
  EXPECT_FALSE(exists("out"));
  EXPECT_THAT(doctor.out, HasSubstr("FAIL  instruction set"));
}

TEST_F(InstructionSetOfAProgram, that_differs_from_that_of_the_saved_run_is_told) {
  const std::string best = name_of(best_instruction_set());
  for (const std::string& set : {best, std::string("portable")}) {
    const std::string words =
        concat("run problem.toml --resume --set run.checkpoint.every_steps=1 --out ", set);
    std::filesystem::create_directory(folder().path() / set);
    write(set + "/STOP", "");
    ASSERT_EQ(under({best}, words).exit_code, 75);
    std::filesystem::remove(folder().path() / set / "STOP");
    const ProcessOutcome resumed = under({set}, words);
    EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
    EXPECT_THAT(resumed.err, HasSubstr("resumed from step"));
    const auto told =
        HasSubstr(concat("instruction set ", best, " and goes on with portable: its numbers"));
    for (const std::string& text : {resumed.err, read(set + "/log.txt")}) {
      if (set == best) {
        EXPECT_THAT(text, Not(HasSubstr("instruction set")));
      } else {
        EXPECT_THAT(text, told);
      }
    }
  }
}

}  // namespace
}  // namespace kantor::test
