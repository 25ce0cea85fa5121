// kantor inspect as a person calls it: what it says of every kind of thing, and what it refuses.

#include <gmock/gmock.h>

#include <cmath>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/checkpoint/run_lock.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/safetensors.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

namespace fs = std::filesystem;
using testing::AllOf;
using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

class Inspect : public Launch {
 protected:
  /// What it says; exit code 0, nothing on stderr, a screen at most.
  std::string told(const std::string& path) const {
    const ProcessOutcome outcome = kantor({"inspect", path});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    EXPECT_LE(std::count(outcome.out.begin(), outcome.out.end(), '\n'), 45);
    return outcome.out;
  }
  void expect_damaged(const std::string& path, const std::vector<std::string>& words) const {
    expect_refused(kantor({"inspect", path}), 3, words);
  }
  void write_matrix(const std::string& name, std::vector<double> values, std::int64_t d) const {
    const auto n = static_cast<std::int64_t>(values.size()) / d;
    data::write_npy(folder().file(name), values, std::vector{n, d});
  }
};

TEST_F(Inspect, tells_what_an_array_holds) {
  write_matrix("x.npy", {1, -2, 3, 4, 5, 6.5}, 2);
  const std::string text = told("x.npy");
  EXPECT_THAT(text, StartsWith("x.npy: .npy array, "));
  EXPECT_THAT(text, HasSubstr("[3, 2]"));
  EXPECT_THAT(text, HasSubstr("<f8"));
  EXPECT_THAT(text, HasSubstr("3, d = 2"));
  EXPECT_THAT(text, HasSubstr("min -2, max 6.5, mean 2.91667 (of all values)"));
  EXPECT_THAT(text, HasSubstr("none (of all values)"));
  EXPECT_THAT(text, HasSubstr("path = \"x.npy\""));
}

TEST_F(Inspect, names_the_first_value_that_is_none) {
  const double inf = std::numeric_limits<double>::infinity();
  write_matrix("x.npy", {0, 1, 2, 3, 4, -inf, std::nan(""), 7}, 2);
  const std::string text = told("x.npy");
  EXPECT_THAT(text, HasSubstr("-inf at row 2, column 1; kantor run will refuse"));
  EXPECT_THAT(text, HasSubstr("min 0, max 7"));
  write_matrix("all.npy", {std::nan(""), inf}, 1);
  EXPECT_THAT(told("all.npy"), AllOf(HasSubstr("NaN at row 0"), Not(HasSubstr("min "))));
}

TEST_F(Inspect, looks_at_a_part_of_a_large_array) {
  constexpr std::int64_t kRows = 9'000'000;  // more than the 2^22 values that are looked at
  std::vector<float> values(static_cast<std::size_t>(kRows), 1.0F);
  data::write_npy(folder().file("x.npy"), values, std::vector{kRows, std::int64_t{1}});
  EXPECT_THAT(told("x.npy"), HasSubstr("min 1, max 1, mean 1 (of 65536 rows of 9000000)"));
}

TEST_F(Inspect, says_why_an_array_cannot_be_a_marginal) {
  std::string header = "{'descr': '<i4', 'fortran_order': False, 'shape': (2, 1, 1), }";
  header.resize(117, ' ');
  header += '\n';
  write("x.npy", std::string("\x93NUMPY\x01\x00", 8) + static_cast<char>(header.size()) + '\0' +
                     header + std::string(8, '\0'));
  EXPECT_THAT(told("x.npy"), AllOf(HasSubstr("[2, 1, 1]"), HasSubstr("no marginal"),
                                   HasSubstr("expected float32")));
}

TEST_F(Inspect, tells_what_images_and_labels_hold) {
  write("images",
        std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02", 16) + "\x01\x02\x03\x09");
  const std::string images = told("images");
  EXPECT_THAT(images, HasSubstr("idx-ubyte images"));
  EXPECT_THAT(images, AllOf(HasSubstr("[2, 1, 2]"), HasSubstr("2, d = 2")));
  EXPECT_THAT(images, HasSubstr("min 1, max 9, mean 3.75"));
  write("labels", std::string("\0\0\x08\x01\0\0\0\x03", 8) + "\x07\x07\x02");
  EXPECT_THAT(told("labels"), AllOf(HasSubstr("idx-ubyte labels"), HasSubstr("2 different"),
                                    HasSubstr("2 x 1, 7 x 2"), HasSubstr("labels = \"labels\"")));
}

TEST_F(Inspect, tells_what_safetensors_hold) {
  data::write_safetensors(
      folder().file("m.safetensors"),
      {{.name = "b", .shape = {2}, .values = {0.5, -1}, .is_float64 = false},
       {.name = "w \"q\"", .shape = {2, 2}, .values = {1, 2, 3, std::nan("")}, .is_float64 = true},
       {.name = "s", .shape = {}, .values = {1}, .is_float64 = true}},
      {});
  const std::string text = told("m.safetensors");
  EXPECT_THAT(text, HasSubstr("safetensors, 3 tensors"));
  EXPECT_THAT(text, HasSubstr("F32 [2], 8 B"));
  EXPECT_THAT(text, HasSubstr("F64 [2, 2], 32 B"));
  EXPECT_THAT(text, HasSubstr("min -1, max 0.5, mean -0.25"));
  EXPECT_THAT(text, HasSubstr("NaN at row 1, column 1"));
  EXPECT_THAT(text, HasSubstr("path = \"m.safetensors\", key = \"w \\\"q\\\"\""));
}

TEST_F(Inspect, fits_a_file_of_many_tensors_on_a_screen) {
  std::vector<data::NamedTensor> tensors;
  for (int i = 0; i < 100; ++i) {
    tensors.push_back({.name = concat("t", i), .shape = {1, 1}, .values = {1}, .is_float64 = true});
  }
  data::write_safetensors(folder().file("m.safetensors"), tensors, {});
  EXPECT_THAT(told("m.safetensors"), HasSubstr(".. and 88 more"));
}

TEST_F(Inspect, refuses_damaged_data_and_paths_that_are_not_there) {
  write_matrix("x.npy", {1, 2}, 1);
  const std::string whole = read("x.npy");
  write("x.npy", whole.substr(0, whole.size() - 1));
  expect_damaged("x.npy", {"x.npy", "truncated"});
  write("empty.npy", "");
  expect_damaged("empty.npy", {"empty.npy", "empty"});
  write("x.safetensors", "12345678{");
  expect_damaged("x.safetensors", {"x.safetensors"});
  write("images", std::string("\0\0\x08\x03\0\0\0\x02\0\0\0\x01\0\0\0\x02", 16));
  expect_damaged("images", {"images", "truncated"});
  write("text", "x,y\n1,2\n");
  expect_damaged("text", {"text", "neither"});

  expect_refused(kantor({"inspect", "nowhere"}), 2, {"nowhere"});
  expect_refused(kantor({"inspect", "text/below"}), 2, {"text/below"});
  expect_refused(kantor({"inspect", "/dev/null"}), 2, {"/dev/null"});
  expect_refused(kantor({"inspect", "."}), 2, {"no run directory"});
  fs::create_symlink("nowhere", folder().path() / "link");
  expect_refused(kantor({"inspect", "link"}), 2, {"link"});
  expect_refused(kantor({"inspect"}), 2, {"path"});
}

TEST_F(Inspect, tells_what_a_problem_asks_for) {
  write_small_problem();
  const std::string text = told("problem.toml");
  EXPECT_THAT(text, HasSubstr("eot, cost sqeuclidean, epsilon 0.5"));
  EXPECT_THAT(text, ContainsRegex("marginal 0 .*x.npy: n = 40, d = 2, uniform, 640 B as float64"));
  EXPECT_THAT(text, HasSubstr("kantor run problem.toml --dry-run"));
  fs::remove(folder().path() / "y.npy");
  expect_damaged("problem.toml", {"y.npy"});
  write("problem.toml", "[problem]\nepsilon = 1\nepsilom = 1\n");
  expect_refused(kantor({"inspect", "problem.toml"}), 78, {"epsilom", "epsilon"});
}

/// A finished run "out" of 60 steps with checkpoints every 20.
class InspectRun : public Inspect {
 protected:
  InspectRun() {
    write_small_problem();
    const int code = kantor({"run", "problem.toml", "--out", "out", "--quiet", "--set",
                             "run.checkpoint.every_steps=20"})
                         .exit_code;
    EXPECT_TRUE(code == 0 || code == 4);
  }
  /// As if the run had got no further.
  void forget_result(const std::string& status) const {
    fs::remove(folder().path() / "out/result.json");
    write("out/STATUS", status);
  }
};

TEST_F(InspectRun, tells_of_one_that_is_done) {
  write("out/STATUS", R"({"state": "done", "step": 60})");
  const std::string text = told("out");
  EXPECT_THAT(text, StartsWith("run out: done, step 60\n"));
  EXPECT_THAT(text, HasSubstr("40 x 50 points, d = 2, cost sqeuclidean, epsilon 0.5"));
  EXPECT_THAT(text, HasSubstr("neural, 1 rank, backend self, cpu, float64"));
  for (const char* word :
       {"objective", "dual_value", "proven gap", "60 steps", "last metrics", "step 60: valid",
        "step 40: valid", "model.safetensors", "potentials/ (2)"}) {
    EXPECT_THAT(text, HasSubstr(word));
  }
  EXPECT_EQ(told("out/"), "run out/" + text.substr(std::string("run out").size()));
}

/// As a solver leaves it that proves neither an upper nor a lower bound.
TEST_F(InspectRun, tells_of_a_result_without_bounds_and_others_read_it_too) {
  auto result = nlohmann::ordered_json::parse(read("out/result.json"));
  for (const char* key : {"dual_value", "objective", "transport_cost", "kl", "certificate"}) {
    result.erase(key);
  }
  write("out/result.json", result.dump(2));
  EXPECT_THAT(
      told("out"),
      AllOf(HasSubstr("solver"), HasSubstr("  time "), HasSubstr("whole by their checksums"),
            Not(HasSubstr("dual_value")), Not(HasSubstr("gap")), Not(HasSubstr("nan"))));
  EXPECT_EQ(kantor({"eval", "out", "--points", "x.npy", "--out", "new"}).exit_code, 0);
  const ProcessOutcome again = kantor({"run", "problem.toml", "--out", "out", "--resume", "--set",
                                       "run.checkpoint.every_steps=20"});
  EXPECT_THAT(again.err + again.out, HasSubstr("has finished; nothing to resume"));
}

TEST_F(Inspect, tells_the_divergence_of_a_run) {
  write_small_problem();
  ASSERT_EQ(kantor({"run", "problem.toml", "--out", "out", "--quiet", "--set",
                    "solver.name=sinkhorn", "--set", "solver.sinkhorn.divergence=true"})
                .exit_code,
            0);
  EXPECT_THAT(told("out"),
              ContainsRegex("divergence +0\\.[0-9]+  in \\[0\\.[0-9]+, 0\\.[0-9]+\\]"));
}

TEST_F(Inspect, tells_no_dimension_where_costs_came_from_a_file) {
  write_matrix("C.npy", {0, 1, 1, 0, 2, 1}, 3);
  write("problem.toml",
        "[problem]\ncost = \"matrix\"\ncost_file = \"C.npy\"\nepsilon = 0.5\n"
        "[solver]\nname = \"sinkhorn\"\n");
  ASSERT_EQ(kantor({"run", "problem.toml", "--out", "out", "--quiet"}).exit_code, 0);
  EXPECT_THAT(told("out"), HasSubstr("eot: 2 x 3 points, cost matrix, epsilon 0.5"));
}

TEST_F(InspectRun, tells_of_every_other_end) {
  write("out/STATUS", R"({"state": "not converged", "step": 60})");
  EXPECT_THAT(told("out"), StartsWith("run out: finished, but not converged, step 60\n"));
  forget_result(R"({"state": "stopped", "reason": "signal 10", "step": 40})");
  EXPECT_THAT(told("out"),
              StartsWith("run out: stopped at step 40 by signal 10; --resume goes on: "));
  EXPECT_THAT(told("out"), HasSubstr("run problem.toml --out out"));
  write("out/STATUS", R"({"state": "failed", "reason": "loss\nis NaN", "step": 0})");
  EXPECT_THAT(told("out"), StartsWith("run out: failed: loss is NaN\n"));
}

TEST_F(InspectRun, tells_a_dead_one_from_a_living_one) {
  forget_result(R"({"state": "running", "pid": 7, "host": "h", "step": 40})");
  const std::string dead = told("out");
  EXPECT_THAT(dead,
              StartsWith("run out: dead: was killed after the save of step 40; --resume goes on"));
  EXPECT_THAT(dead, HasSubstr("cost sqeuclidean"));
  EXPECT_THAT(dead, ContainsRegex("marginal 1 .*y.npy"));
  EXPECT_THAT(dead, HasSubstr("neural, float64"));
  const checkpoint::RunLock lock(folder().file("out"));
  EXPECT_THAT(told("out"), StartsWith("run out: running (pid 7 on host h is alive), step 40\n"));
  write("out/STATUS", R"({"state": "stopped", "reason": "signal 10", "step": 40})");
  EXPECT_THAT(told("out"), StartsWith("run out: a process holds it"));
}

TEST_F(InspectRun, watches_one_live_and_die) {
  const ProcessOutcome outcome = run_process(
      {"bash", "-c",
       concat("'", KANTOR_BINARY,
              "' run problem.toml --out long --quiet --set solver.neural.steps=100000000 --set "
              "run.checkpoint.every_steps=20 & run=$!\n"
              "until ls long/checkpoints/*20.kantor long/checkpoints/*40.kantor; do :; done "
              ">/dev/null 2>&1\n"
              "'",
              KANTOR_BINARY, "' inspect long >alive\nkill -9 $run; wait $run\n'", KANTOR_BINARY,
              "' inspect long >dead; echo pid $run")},
      folder().path().string(), 120);
  EXPECT_FALSE(outcome.timed_out);
  const std::string pid = outcome.out.substr(0, outcome.out.find('\n'));
  EXPECT_THAT(read("alive"), StartsWith("run long: running (" + pid + " on host "));
  EXPECT_THAT(read("dead"),
              ContainsRegex("^run long: dead: was killed after the save of step [1-9]"));
  EXPECT_THAT(read("dead"), HasSubstr("run problem.toml --out long"));
  EXPECT_THAT(read("dead"), HasSubstr("--resume\n"));
}

TEST_F(InspectRun, names_a_damaged_checkpoint_and_refuses_it_by_itself) {
  const std::string newest = "out/checkpoints/step-00000060.kantor";
  std::string bytes = read(newest);
  EXPECT_THAT(told(newest), AllOf(HasSubstr("valid"), HasSubstr("60, 1920 samples seen")));
  bytes[bytes.size() / 2] ^= 1;
  write(newest, bytes);
  const std::string text = told("out");
  EXPECT_THAT(text, HasSubstr("step 60: DAMAGED: "));
  EXPECT_THAT(text, HasSubstr("step 40: valid"));
  EXPECT_THAT(told("out/checkpoints"), HasSubstr("step 60: DAMAGED: "));
  expect_damaged(newest, {newest});
  fs::copy_file(folder().path() / "out/checkpoints/step-00000040.kantor", folder().path() / "copy");
  EXPECT_THAT(told("copy"), StartsWith("checkpoint copy: valid\n"));  // by its first bytes
}

TEST_F(InspectRun, shows_what_it_can_of_a_damaged_one) {
  const std::string result = read("out/result.json");
  write("out/result.json", result.substr(0, result.size() / 2));
  const ProcessOutcome outcome = kantor({"inspect", "out"});
  expect_refused(outcome, 3, {"out/result.json", "damaged"});
  EXPECT_THAT(outcome.out, HasSubstr("step 60: valid"));
  write("out/result.json", result);
  write("out/STATUS", "{\"state\": 3}");
  expect_damaged("out", {"out/STATUS", "damaged"});
  forget_result(R"({"state": "failed", "reason": "x"})");
  write("out/resolved.toml", "[problem\n");
  write("out/metrics.jsonl", "{\"phase\"");
  expect_damaged("out", {"resolved.toml"});
}

TEST_F(InspectRun, tells_of_one_that_was_killed_before_its_first_word) {
  fs::create_directory(folder().path() / "early");
  write("early/STATUS", "");
  EXPECT_THAT(told("early"),
              StartsWith("run early: dead: was killed after the save of step 0; --resume"));
}

/// Each process by itself: one that kept silent because of a launcher's variable might be the only
/// one there is.
TEST_F(InspectRun, answers_whoever_asks) {
  const std::string text = told("out");
  const ProcessOutcome on_ranks = kantor_on_ranks(2, {"inspect", "out"});
  EXPECT_EQ(on_ranks.exit_code, 0) << on_ranks.err;
  EXPECT_EQ(on_ranks.out.size(), 2 * text.size());
  for (const char* left_over : {"OMPI_COMM_WORLD_RANK=2", "PMI_RANK=1", "SLURM_PROCID=3"}) {
    const auto alone = [&](const std::string& words) {
      return run_process(
          {"bash", "-c", concat("export ", left_over, "; exec '", KANTOR_BINARY, "' ", words)},
          folder().path().string(), 120);
    };
    EXPECT_EQ(alone("inspect out").out, text) << left_over;
    expect_refused(alone("inspect nowhere"), 2, {"nowhere"});
    EXPECT_THAT(alone("--help").out, HasSubstr("kantor run")) << left_over;
    EXPECT_THAT(alone("eval --help").out, HasSubstr("--points")) << left_over;
    EXPECT_THAT(alone("doctor").out, HasSubstr("FAIL")) << left_over;  // "0 FAIL"
  }
}

}  // namespace
}  // namespace kantor::test
