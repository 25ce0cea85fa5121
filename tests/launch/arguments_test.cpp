#include "launch/arguments.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "runtime/core/error.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::launch {
namespace {

using testing::HasSubstr;
using testing::Not;

RunArguments parse_run(const std::vector<std::string>& words) {
  return std::get<RunArguments>(parse_arguments(words));
}

std::string answer(const std::vector<std::string>& words) {
  return std::get<Answer>(parse_arguments(words)).text;
}

/// The message of the usage error that these words lead to.
std::string refusal(const std::vector<std::string>& words) {
  try {
    parse_arguments(words);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "accepted";
}

std::size_t num_lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Arguments, reads_every_flag_of_run_in_any_order) {
  const RunArguments run = parse_run({"run", "--set", "a.b=1", "p.toml", "--quiet", "--set",
                                      "c=[1, 2]", "--out", "d", "--dry-run"});
  EXPECT_EQ(run.problem, "p.toml");
  EXPECT_EQ(run.settings, (std::vector<std::string>{"a.b=1", "c=[1, 2]"}));
  EXPECT_EQ(run.out, "d");
  EXPECT_TRUE(run.quiet);
  EXPECT_TRUE(run.dry_run);
}

TEST(Arguments, name_a_folder_to_write_without_parents) {
  namespace fs = std::filesystem;
  const test::TemporaryDirectory folder;
  const fs::path place = fs::canonical(folder.path());
  fs::create_directories(place / "deep/er");
  fs::create_directory_symlink(place / "deep/er", place / "link");
  const auto out_of = [&](const std::string& out) {
    const std::string path = (place / out).string();
    const auto eval =
        std::get<EvalArguments>(parse_arguments({"eval", "r", "--points", "p.npy", "--out", path}));
    const auto doctor = std::get<DoctorArguments>(parse_arguments({"doctor", "--out", path}));
    EXPECT_EQ(eval.out, doctor.out);
    EXPECT_EQ(eval.out, parse_run({"run", "p.toml", "--out", path}).out);
    return eval.out;
  };
  EXPECT_EQ(out_of("nowhere/../b"), place / "b");
  EXPECT_EQ(out_of("deep/nowhere/../../b"), place / "b");
  EXPECT_EQ(out_of("link/../b"), place / "deep/b");
  const auto run = parse_run({"run", "p.toml", "--out", "nowhere/../../b"});
  EXPECT_EQ(run.out, fs::canonical("..") / "b");
}

TEST(Arguments, puts_a_run_under_runs_when_no_out_is_given) {
  EXPECT_EQ(parse_run({"run", "folder/my problem.toml"}).out, "runs/my problem");
}

TEST(Arguments, reads_every_flag_of_eval) {
  const auto eval = std::get<EvalArguments>(
      parse_arguments({"eval", "r", "--points", "p.npy", "--marginal", "1", "--debiased", "--out",
                       "o", "--key", "k", "--as-is", "--data-root", "."}));
  EXPECT_TRUE(eval.debiased);
  EXPECT_EQ(eval.key, "k");
  EXPECT_TRUE(eval.as_is);
  EXPECT_EQ(eval.data_root, ".");
  EXPECT_EQ(eval.run_directory, "r");
  EXPECT_EQ(eval.points, "p.npy");
  EXPECT_EQ(eval.marginal, 1);
  EXPECT_EQ(eval.out, "o");
}

TEST(Arguments, reads_what_inspect_and_doctor_take) {
  EXPECT_EQ(std::get<InspectArguments>(parse_arguments({"inspect", "r/x.npy"})).path, "r/x.npy");
  EXPECT_EQ(std::get<DoctorArguments>(parse_arguments({"doctor"})).out, "runs");
  EXPECT_EQ(std::get<DoctorArguments>(parse_arguments({"doctor", "--out", "o"})).out, "o");
}

TEST(Arguments, shows_help_that_fits_a_screen) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"--help"},
                                                {"run", "--help"},
                                                {"eval", "-h"},
                                                {"inspect", "--help"},
                                                {"doctor", "-h"}}) {
    EXPECT_LE(num_lines(answer(words)), 40u);
    EXPECT_THAT(answer(words), HasSubstr("kantor"));
  }
  EXPECT_THAT(answer({"--version"}), HasSubstr("kantor 0."));
}

TEST(Arguments, names_the_nearest_verb_when_a_verb_is_unknown) {
  EXPECT_THAT(refusal({"rnu", "p.toml"}), HasSubstr("unknown verb 'rnu'; did you mean run?"));
  EXPECT_THAT(refusal({"transmogrify"}), HasSubstr("known are run, eval, inspect, keys, doctor"));
  EXPECT_THAT(refusal({}), HasSubstr("verbs are run, eval, inspect, keys, doctor"));
}

TEST(Arguments, names_the_nearest_flag_when_a_flag_is_unknown) {
  EXPECT_THAT(refusal({"run", "p.toml", "--qiet"}), HasSubstr("did you mean --quiet?"));
  EXPECT_THAT(refusal({"run", "--qiet"}), HasSubstr("--qiet"));
  EXPECT_THAT(refusal({"run", "p.toml", "--learning-rate=1"}), HasSubstr("--set key=value"));
  EXPECT_THAT(refusal({"eval", "r", "--point", "p.npy"}), HasSubstr("did you mean --points?"));
  EXPECT_THAT(refusal({"inspekt", "x"}), HasSubstr("did you mean inspect?"));
  EXPECT_THAT(refusal({"doctor", "--output", "o"}), HasSubstr("unknown flag --output"));
  EXPECT_THAT(refusal({"--verson"}), HasSubstr("did you mean --version?"));
}

TEST(Arguments, names_what_is_missing_or_too_much) {
  EXPECT_THAT(refusal({"run"}), HasSubstr("needs a problem file"));
  EXPECT_THAT(refusal({"run", "a.toml", "b.toml"}), HasSubstr("'b.toml'"));
  EXPECT_THAT(refusal({"run", "a.toml", "--out"}), HasSubstr("--out"));
  EXPECT_THAT(refusal({"run", "a.toml", "--set"}), HasSubstr("--set"));
  EXPECT_THAT(refusal({"inspect"}), HasSubstr("needs a path"));
  EXPECT_THAT(refusal({"inspect", ""}), HasSubstr("needs a path"));
  EXPECT_THAT(refusal({"inspect", "a", "b"}), HasSubstr("'b'"));
  EXPECT_THAT(refusal({"inspect", "a", "--out", "b"}), HasSubstr("--out"));
  EXPECT_THAT(refusal({"doctor", "a"}), HasSubstr("'a'"));
  EXPECT_THAT(refusal({"doctor", "--out"}), HasSubstr("--out"));
  EXPECT_THAT(refusal({"doctor", "--out", ""}), HasSubstr("--out"));
  EXPECT_THAT(refusal({"eval"}), HasSubstr("needs a run directory"));
  EXPECT_THAT(refusal({"eval", "r", "--out", "o"}), HasSubstr("--points"));
  EXPECT_THAT(refusal({"eval", "r", "--points", "p"}), HasSubstr("--out"));
  EXPECT_THAT(refusal({"eval", "r", "--points", "p", "--out", "o", "--marginal", "2"}),
              HasSubstr("--marginal 2"));
  EXPECT_THAT(refusal({"eval", "r", "--points", "p", "--out", "o", "--marginal", "x"}),
              HasSubstr("--marginal"));
}

TEST(Arguments, keeps_every_refusal_on_one_line) {
  for (const std::vector<std::string>& words : {std::vector<std::string>{"run", "a", "--out"},
                                                {"nothing"},
                                                {"eval", "r", "--marginal", "x"}}) {
    EXPECT_THAT(refusal(words), Not(HasSubstr("\n")));
  }
}

}  // namespace
}  // namespace kantor::launch
