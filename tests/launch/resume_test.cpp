// A run that was cut goes on to the bits of one that was not; what does not fit is refused, and
// nothing is touched then. The cuts are made by hand (Interrupted::cut); stops and kills have
// programs of their own.

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/data/npy.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
using Words = std::vector<std::string>;

struct Solver {
  const char* phase;
  Words settings;
  std::int64_t last;  ///< step
  std::int64_t cut;
};

const Solver kNeural{"train",
                     {"solver.neural.steps=60", "solver.neural.log_every=1",
                      "run.checkpoint.every_steps=7", "run.checkpoint.keep=100"},
                     60,
                     28};
const Solver kSinkhorn{
    "sinkhorn",
    {"solver.name=sinkhorn", "solver.sinkhorn.tolerance=0", "solver.sinkhorn.max_iterations=20",
     "run.checkpoint.every_steps=3", "run.checkpoint.keep=100"},
    20,
    9};

const Solver kProgot{
    "progot 2/2",
    {"solver.name=progot", "solver.progot.steps=2", "solver.progot.first_tolerance=0",
     "solver.sinkhorn.tolerance=0", "solver.sinkhorn.max_iterations=10",
     "run.checkpoint.every_steps=3", "run.checkpoint.keep=100"},
    10,
    15};

Words with(Words settings, const std::string& more) {
  settings.push_back(more);
  return settings;
}

class Resume : public Interrupted {
 protected:
  /// A neural run in "whole" and what a kill at step 28 leaves of it in "out".
  void make_cut_run() const {
    const ProcessOutcome whole = run("whole", kAlone, kNeural.settings);
    ASSERT_LE(whole.exit_code, 4) << whole.err;
    cut("whole", "out", kNeural.cut);
  }
  /// Without the log and the lock, which every attempt may write to.
  std::map<std::string, std::string> state(const std::string& out) const {
    auto files = contents(out);
    files.erase(folder().file(out + "/log.txt"));
    files.erase(folder().file(out + "/LOCK"));
    return files;
  }
  void expect_resume_refused(const Words& settings, const Words& said) const {
    const auto before = state("out");
    const ProcessOutcome outcome = resume("out", kAlone, settings);
    expect_refused(outcome, 78, said);
    EXPECT_TRUE(state("out") == before) << "the run directory was changed";
  }
  void spoil(const std::string& name) const {
    std::string bytes = read(name);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    write(name, bytes);
  }
};

class ResumeOn : public Resume, public testing::WithParamInterface<Placement> {};

TEST_P(ResumeOn, ends_with_the_bits_of_an_undisturbed_run) {
  for (const Solver& solver : {kNeural, kSinkhorn, kProgot}) {
    for (const std::string precision : {"float32", "float64"}) {
      SCOPED_TRACE(concat(solver.phase, " ", precision));
      const std::string whole = concat(std::string(solver.phase).substr(0, 6), precision);
      const std::string out = whole + "-out";
      const Words settings = with(solver.settings, "run.precision=" + precision);
      const ProcessOutcome undisturbed = run(whole, GetParam(), settings);
      ASSERT_LE(undisturbed.exit_code, 4) << undisturbed.err;
      cut(whole, out, solver.cut);
      const ProcessOutcome resumed = resume(out, GetParam(), settings);
      EXPECT_EQ(resumed.exit_code, undisturbed.exit_code) << resumed.err;
      expect_same_results(whole, out);
      const std::string said = concat("resumed from step ", solver.cut);
      EXPECT_NE(resumed.err.find(said), std::string::npos) << resumed.err;
      EXPECT_NE(read(out + "/log.txt").find(said), std::string::npos);
      expect_whole_metrics(out, solver.phase, solver.last);
      EXPECT_EQ(json(out + "/STATUS").at("state"), json(whole + "/STATUS").at("state"));
      EXPECT_EQ(json(out + "/result.json").at("iterations"),
                json(whole + "/result.json").at("iterations"));
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Launch, ResumeOn, testing::Values(kAlone, kTwoProcesses, kTwoThreads),
                         [](const auto& where) { return where.param.name; });

TEST_F(Resume, reaches_the_same_value_on_another_number_of_ranks_and_back_end) {
  for (const Solver& solver : {kNeural, kSinkhorn}) {
    for (const std::string precision : {"float32", "float64"}) {
      const std::string whole = concat(solver.phase, precision);
      const Words settings = with(solver.settings, "run.precision=" + precision);
      const std::vector<Placement> others = precision == "float64"
                                                ? std::vector{kTwoThreads, kThreeProcesses}
                                                : std::vector{kTwoProcesses};
      ASSERT_LE(run(whole, kAlone, settings).exit_code, 4);
      const double expected = json(whole + "/result.json").at("dual_value");
      // Sums over ranks in another order, amplified by the 32 steps that remain.
      const double tolerance = precision == "float32" ? 1e-5 : 1e-12;
      for (const Placement& other : others) {
        SCOPED_TRACE(concat(whole, " ", other.name));
        const std::string out = concat(whole, "-", other.name);
        cut(whole, out, solver.cut);
        const ProcessOutcome resumed = resume(out, other, settings);
        ASSERT_LE(resumed.exit_code, 4) << resumed.err;
        const double met = json(out + "/result.json").at("dual_value");
        EXPECT_NEAR(met, expected, tolerance * std::abs(expected));
        EXPECT_EQ(json(out + "/result.json").at("world_size"),
                  std::max(other.processes, other.threads));
      }
    }
  }
}

TEST_F(Resume, in_strict_mode_reaches_the_same_bits_on_another_number_of_processes) {
  const Words settings = with(kNeural.settings, "run.deterministic=\"strict\"");
  const ProcessOutcome whole = run("whole", kAlone, settings);
  ASSERT_LE(whole.exit_code, 4) << whole.err;
  cut("whole", "out", kNeural.cut);
  const ProcessOutcome resumed = resume("out", kTwoProcesses, settings);
  EXPECT_EQ(resumed.exit_code, whole.exit_code) << resumed.err;
  expect_same_results("whole", "out");
}

TEST_F(Resume, of_a_finished_run_returns_its_code_and_changes_nothing) {
  const Words converged = {"solver.name=sinkhorn"};
  const Words not_converged = {"solver.name=sinkhorn", "solver.sinkhorn.max_iterations=1"};
  for (const auto& [settings, code] : {std::pair{converged, 0}, std::pair{not_converged, 4}}) {
    const std::string out = concat("code", code);
    ASSERT_EQ(run(out, kAlone, settings).exit_code, code);
    // Whatever STATUS says: a kill may have come between the result and it.
    write(out + "/STATUS", "{\"state\": \"running\"}");
    const auto before = contents(out);
    for (const Placement& where : {kAlone, kTwoProcesses}) {
      const ProcessOutcome outcome = resume(out, where, settings);
      EXPECT_EQ(outcome.exit_code, code) << outcome.err;
      EXPECT_NE(outcome.err.find("has finished"), std::string::npos) << outcome.err;
      EXPECT_TRUE(contents(out) == before);
    }
  }
}

TEST_F(Resume, of_a_finished_run_refuses_other_settings_by_name) {
  const Words settings = {"solver.name=sinkhorn"};
  ASSERT_EQ(run("out", kAlone, settings).exit_code, 0);
  const auto before = contents("out");
  for (const Placement& where : {kAlone, kTwoProcesses}) {
    expect_refused(resume("out", where, with(settings, "problem.epsilon=0.25")), 78,
                   {"has finished", "epsilon", "0.25", "--out"});
  }
  expect_refused(resume("out", kAlone, {"solver.name=neural"}), 78, {"has finished", "name"});
  EXPECT_TRUE(contents("out") == before);
}

TEST_F(Resume, of_a_finished_run_refuses_other_data_by_name) {
  const std::vector<double> uniform(40, 1.0 / 40);
  std::vector<double> other = uniform;
  other[0] = .5 / 40;
  other[1] = 1.5 / 40;
  const auto write_weights = [&](const std::vector<double>& weights) {
    data::write_npy(folder().file("a.npy"), weights, std::vector<std::int64_t>{40});
  };
  write_weights(uniform);
  write_problem("problem.toml", "0.5", "path = \"x.npy\"\nweights = \"a.npy\"", "path = \"y.npy\"");
  const Words settings = {"solver.name=sinkhorn"};
  ASSERT_EQ(run("out", kAlone, settings).exit_code, 0);
  const auto before = contents("out");
  const auto expect_other_data = [&](const Words& said) {
    for (const Placement& where : {kAlone, kTwoProcesses}) {
      expect_refused(resume("out", where, settings), 78, said);
    }
  };
  write_weights(other);
  expect_other_data({"has finished with other data", "x.npy (marginal 0)", "weights", "--out"});
  write_weights(uniform);
  write_points("y.npy", 50, 2, 0.4);
  expect_other_data({"has finished with other data", "y.npy (marginal 1)"});
  write_points("y.npy", 50, 2, 0.5);
  write_points("z.npy", 40, 2, 0.1);
  expect_refused(resume("out", kAlone, with(settings, "problem.marginals.0.path=z.npy")), 78,
                 {"z.npy (marginal 0)"});
  std::filesystem::rename(folder().path() / "x.npy", folder().path() / "moved.npy");
  expect_refused(resume("out", kAlone, settings), 3, {"x.npy"});
  // The content counts, not the name.
  EXPECT_EQ(resume("out", kAlone, with(settings, "problem.marginals.0.path=moved.npy")).exit_code,
            0);
  EXPECT_TRUE(contents("out") == before);
}

TEST_F(Resume, of_a_finished_run_refuses_other_labels_and_costs_by_name) {
  write("images", std::string("\0\0\x08\x03\0\0\0\x03\0\0\0\x01\0\0\0\x02", 16) + "\1\2\3\4\5\6");
  const auto write_labels = [&](const std::string& labels) {
    write("labels", std::string("\0\0\x08\x01\0\0\0\x03", 8) + labels);
  };
  write_labels("\1\1\2");
  const std::string chosen = "path = \"images\"\nlabels = \"labels\"\nselect = [1]";
  write_problem("problem.toml", "0.5", chosen, chosen);
  const Words settings = {"solver.name=sinkhorn"};
  ASSERT_EQ(run("images_run", kAlone, settings).exit_code, 0);
  write_labels("\1\2\1");
  expect_refused(resume("images_run", kAlone, settings), 78,
                 {"has finished with other data", "images (marginal 0)", "labels"});

  const auto write_costs = [&](double first) {
    data::write_npy(folder().file("C.npy"), std::vector<double>{first, 1, 1, 0},
                    std::vector<std::int64_t>{2, 2});
  };
  write_costs(0);
  write("problem.toml", "[problem]\ncost = \"matrix\"\ncost_file = \"C.npy\"\nepsilon = 1.0\n");
  ASSERT_EQ(run("costs_run", kAlone, settings).exit_code, 0);
  EXPECT_EQ(resume("costs_run", kAlone, settings).exit_code, 0);
  write_costs(.5);
  expect_refused(resume("costs_run", kAlone, settings), 78,
                 {"has finished with other data", "C.npy (marginal 0)"});
}

TEST_F(Resume, refuses_other_settings_by_name) {
  make_cut_run();
  // Begun again it is refused, too.
  expect_refused(run("out", kAlone, kNeural.settings), 78, {"holds a run", "--resume"});
  for (const auto& [setting, key] : std::vector<std::pair<std::string, std::string>>{
           {"solver.neural.steps=61", "steps"},
           {"solver.neural.batch=31", "batch"},
           {"run.seed=1", "seed"},
           {"run.precision=float32", "precision"},
           {"problem.epsilon=0.25", "epsilon"},
           {"solver.neural.learning_rate=0.5", "learning_rate"}}) {
    expect_resume_refused(
        with(kNeural.settings, setting),
        {"cannot go on", key, "`kantor run out/resolved.toml --out out --resume`"});
  }
  expect_resume_refused(with(kNeural.settings, "solver.name=sinkhorn"), {"cannot go on", "name"});
  // Under mpirun it is one line too.
  expect_refused(resume("out", kTwoProcesses, with(kNeural.settings, "run.seed=1")), 78, {"seed"});
  // How it is run may change.
  cut("whole", "again", kNeural.cut);
  const ProcessOutcome outcome =
      resume("again", kAlone, with(with(kNeural.settings, "run.threads=2"), "run.timeout_s=7"));
  EXPECT_LE(outcome.exit_code, 4) << outcome.err;
  expect_same_results("whole", "again");
  const ProcessOutcome named = kantor({"run", "out/resolved.toml", "--out", "out", "--resume"});
  EXPECT_LE(named.exit_code, 4) << named.err;
  expect_same_results("whole", "out");
}

TEST_F(Resume, is_named_where_it_helps_by_who_begins_again_in_a_folder) {
  make_cut_run();
  const auto refusal = [&](const std::string& out) {
    const ProcessOutcome outcome = run(out, kAlone, kNeural.settings);
    EXPECT_EQ(outcome.exit_code, 78);
    return outcome.err;
  };
  EXPECT_THAT(refusal("whole"), AllOf(HasSubstr("holds a finished run; nothing is written over"),
                                      Not(HasSubstr("--resume"))));
  EXPECT_THAT(refusal("out"), HasSubstr("or go on with a stopped run by --resume"));
  write("out/STATUS", R"({"state": "failed", "reason": "loss is NaN\nat the top"})");
  EXPECT_THAT(refusal("out"), AllOf(HasSubstr("holds a run that failed (loss is NaN)"),
                                    HasSubstr("--resume goes on with the same input alone")));
}

TEST_F(Resume, refuses_data_that_have_changed) {
  make_cut_run();
  write_points("x.npy", 40, 2, 0.1);
  expect_resume_refused(kNeural.settings, {"data have changed", "x.npy (marginal 0)"});
  write_points("x.npy", 40, 2, 0);
  EXPECT_LE(resume("out", kAlone, kNeural.settings).exit_code, 4);
  expect_same_results("whole", "out");
}

TEST_F(Resume, starts_at_step_0_where_no_checkpoint_is_and_says_so) {
  const ProcessOutcome whole = run("whole", kAlone, kNeural.settings);
  std::filesystem::create_directory(folder().path() / "empty");
  std::filesystem::create_directory(folder().path() / "locked");
  write("locked/LOCK", "pid 1 on host a\n");  // a run that was killed before it wrote anything
  cut("whole", "unsaved", 0);
  std::filesystem::remove(folder().path() / checkpoint("unsaved", 0));
  for (const std::string out : {"nowhere", "empty", "locked", "unsaved"}) {
    const ProcessOutcome outcome = resume(out, kAlone, kNeural.settings);
    EXPECT_EQ(outcome.exit_code, whole.exit_code) << out << ": " << outcome.err;
    const std::string said = "no checkpoint to resume from: starting at step 0";
    EXPECT_NE(outcome.err.find(said), std::string::npos) << out << ": " << outcome.err;
    EXPECT_NE(read(out + "/log.txt").find(said), std::string::npos) << out;
    expect_same_results("whole", out);
  }
}

/// A STOP file stops after the next save, wherever it is from.
TEST_F(Resume, starts_at_step_0_beside_a_stop_file_and_stops_then) {
  std::filesystem::create_directory(folder().path() / "out");
  write("out/STOP", "");
  const ProcessOutcome outcome = resume("out", kAlone, kNeural.settings);
  EXPECT_NE(outcome.err.find("no checkpoint to resume from: starting at step 0"), std::string::npos)
      << outcome.err;
  expect_stopped(outcome, "out", "the file STOP in the run directory");
  EXPECT_EQ(json("out/STATUS").at("step"), 1);
  expect_refused(resume("out", kAlone, kNeural.settings), 78, {"out/STOP", "remove it"});
  std::filesystem::remove(folder().path() / "out/STOP");
  EXPECT_LE(resume("out", kAlone, kNeural.settings).exit_code, 4);
}

TEST_F(Resume, touches_no_folder_that_holds_something_else) {
  std::filesystem::create_directory(folder().path() / "out");
  write("out/thesis.txt", "years of work");
  expect_resume_refused(kNeural.settings, {"out", "holds no run"});
  EXPECT_EQ(contents("out").size(), 1u);
  const ProcessOutcome begun = run("out", kAlone, kNeural.settings);
  expect_refused(begun, 78, {"out", "not empty"});
  EXPECT_EQ(begun.err.find("--resume"), std::string::npos) << begun.err;
  write("file", "a file");
  expect_refused(resume("file", kAlone, kNeural.settings), 78, {"file", "not a directory"});
  EXPECT_EQ(read("file"), "a file");
}

TEST_F(Resume, falls_back_to_the_checkpoint_before_a_damaged_one) {
  make_cut_run();
  const std::string newest = checkpoint("out", kNeural.cut);
  spoil(newest);
  const ProcessOutcome outcome = resume("out", kAlone, kNeural.settings);
  EXPECT_LE(outcome.exit_code, 4) << outcome.err;
  for (const std::string& text : {outcome.err, read("out/log.txt")}) {
    EXPECT_NE(text.find(concat(newest, " is skipped")), std::string::npos) << text;
    EXPECT_NE(text.find("resumed from step 21"), std::string::npos) << text;
  }
  expect_same_results("whole", "out");
}

TEST_F(Resume, refuses_when_all_checkpoints_are_damaged_and_names_them) {
  make_cut_run();
  Words said = {"none of the 5 checkpoints"};
  for (const std::int64_t step : saved_steps("out")) {
    spoil(checkpoint("out", step));
    said.push_back(checkpoint("out", step));
  }
  expect_resume_refused(kNeural.settings, said);
}

TEST_F(Resume, and_a_new_run_are_refused_while_a_run_is_at_work) {
  const Words endless = {"solver.neural.steps=100000000", "solver.neural.log_every=1"};
  const auto first = start_run("out", kAlone, endless);
  ASSERT_TRUE(becomes_true([&] { return reached("out", "train") > 0; }, kPatience_s));
  const Words said = {"another run", concat("pid ", first->pid(), " on host ", host_name())};
  // Half of the deadline is how long a resuming run waits for the lock.
  const Words hasty = with(endless, "run.timeout_s=0.5");
  for (const Placement& where : {kAlone, kTwoProcesses}) {
    expect_refused(run("out", where, hasty), 78, said);
    expect_refused(resume("out", where, hasty), 78, said);
  }
  first->send(SIGTERM);
  expect_stopped(first->wait(kPatience_s), "out", "SIGTERM");
}

TEST_F(Resume, is_refused_while_a_run_is_at_work_on_a_file_system_without_locks_too) {
  const auto command = [](const Words& settings, const Words& more) {
    Words all = {"env", "LD_PRELOAD=" KANTOR_NO_FLOCK, KANTOR_BINARY};
    const Words own = words("out", kAlone, settings, more);
    all.insert(all.end(), own.begin(), own.end());
    return all;
  };
  const std::string place = folder().path().string();
  const Words endless = {"solver.neural.steps=100000000", "solver.neural.log_every=1"};
  Process first(command(endless, {}), place);
  ASSERT_TRUE(first.says("knows no locks (flock)", kPatience_s));
  ASSERT_TRUE(becomes_true([&] { return reached("out", "train") > 0; }, kPatience_s));
  const Words hasty = with(endless, "run.timeout_s=0.5");
  for (const Words& more : {Words{"--quiet"}, Words{"--resume"}}) {
    expect_refused(run_process(command(hasty, more), place, kPatience_s), 78,
                   {"another run", concat("pid ", first.pid(), " on host ", host_name())});
  }
  first.send(SIGKILL);
  EXPECT_EQ(first.wait(kPatience_s).exit_code, 128 + SIGKILL);
  Process second(command(endless, {"--resume"}), place);
  ASSERT_TRUE(second.says("resumed from step 0", kPatience_s));
  second.send(SIGTERM);
  expect_stopped(second.wait(kPatience_s), "out", "SIGTERM");
}

TEST_F(Resume, removes_what_a_killed_run_left_half_written) {
  make_cut_run();
  const ProcessOutcome child = run_process({"sh", "-c", "echo $$"}, ".", 10);  // dead by now
  const std::string ending = concat(".tmp.", std::stoi(child.out));
  std::filesystem::create_directory(folder().path() / "out/potentials");
  for (const std::string name :
       {"out/STATUS", "out/resolved.toml", "out/environment.json", "out/model.safetensors",
        "out/potentials/0.npy", "out/checkpoints/step-00000035.kantor"}) {
    write(name + ending, "half");
  }
  write("out/notes.tmp.x", "of a person");
  EXPECT_LE(resume("out", kAlone, kNeural.settings).exit_code, 4);
  for (const auto& [name, text] : contents("out")) {
    EXPECT_TRUE(name.find(".tmp.") == std::string::npos || name.ends_with("notes.tmp.x")) << name;
  }
  EXPECT_EQ(read("out/notes.tmp.x"), "of a person");
}

}  // namespace
}  // namespace kantor::test
