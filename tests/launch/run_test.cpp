// What a run leaves behind and prints, and what eval makes of it. One process.

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

using Json = nlohmann::json;

class Run : public Launch {
 protected:
  Run() { write_small_problem(); }

  Json json(const std::string& name) const { return Json::parse(read(name)); }

  /// Solves into "out"; exit code 0 or 4.
  ProcessOutcome solve(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"run", "problem.toml", "--out", "out"};
    words.insert(words.end(), more.begin(), more.end());
    const ProcessOutcome outcome = kantor(words);
    EXPECT_TRUE(outcome.exit_code == 0 || outcome.exit_code == 4) << outcome.err;
    return outcome;
  }

  void expect_fields(const Json& result) const {
    EXPECT_EQ(result.at("schema"), 1);
    EXPECT_EQ(result.at("kind"), "eot");
    EXPECT_EQ(result.at("cost"), "sqeuclidean");
    EXPECT_EQ(result.at("epsilon"), 0.5);
    EXPECT_EQ(result.at("n"), (Json{40, 50}));
    EXPECT_EQ(result.at("d"), (Json{2, 2}));
    EXPECT_EQ(result.at("world_size"), 1);
    EXPECT_EQ(result.at("backend"), "self");
    EXPECT_EQ(result.at("device"), "cpu");
    EXPECT_EQ(result.at("precision"), "float64");
    EXPECT_GT(result.at("epsilon_relative"), 0);
    EXPECT_GT(result.at("peak_memory_bytes"), 0);
    for (const char* phase : {"setup", "solve", "certificate", "total"}) {
      EXPECT_GE(result.at("seconds").at(phase), 0) << phase;
    }
    const double objective = result.at("objective");
    EXPECT_LE(result.at("dual_value"), objective);
    // The three are one sum, rounded once or twice. tol: 4 eps.
    EXPECT_NEAR(objective,
                result.at("transport_cost").get<double>() + 0.5 * result.at("kl").get<double>(),
                1e-15 + 4 * 2.3e-16 * std::abs(objective));
  }
};

TEST_F(Run, writes_every_artefact_when_the_solver_is_neural) {
  const ProcessOutcome outcome = solve({});
  const Json result = json("out/result.json");
  expect_fields(result);
  EXPECT_EQ(result.at("solver"), "neural");
  EXPECT_EQ(result.at("steps"), 60);
  EXPECT_GT(result.at("samples_per_second"), 0);
  const Json certificate = result.at("certificate");
  EXPECT_EQ(certificate.at("upper_value"), result.at("objective"));
  EXPECT_EQ(certificate.at("dual_value"), result.at("dual_value"));
  EXPECT_GE(certificate.at("relative_gap"), 0);
  EXPECT_EQ(result.at("converged"), outcome.exit_code == 0);

  EXPECT_EQ(read("out/problem.toml"), read("problem.toml"));
  EXPECT_NE(read("out/resolved.toml").find("fingerprints"), std::string::npos);
  EXPECT_EQ(json("out/STATUS").at("state"), outcome.exit_code == 0 ? "done" : "not converged");
  EXPECT_EQ(json("out/environment.json").at("hosts").size(), 1u);
  EXPECT_FALSE(read("out/metrics.jsonl").empty());
  EXPECT_FALSE(read("out/log.txt").empty());
  EXPECT_FALSE(read("out/model.safetensors").empty());
  EXPECT_TRUE(json("out/model.json").is_object());
  for (const char* folder : {"out/potentials", "out/certificate"}) {
    EXPECT_EQ(data::read_npy_vector(this->folder().file(std::string(folder) + "/0.npy")).size(),
              40u);
    EXPECT_EQ(data::read_npy_vector(this->folder().file(std::string(folder) + "/1.npy")).size(),
              50u);
  }
  EXPECT_NE(outcome.out.find("objective"), std::string::npos);
  EXPECT_NE(outcome.out.find("out"), std::string::npos);
}

TEST_F(Run, proves_its_answer_when_the_solver_is_sinkhorn) {
  const ProcessOutcome outcome = solve({"--set", "solver.name=sinkhorn"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json result = json("out/result.json");
  expect_fields(result);
  EXPECT_EQ(result.at("solver"), "sinkhorn");
  EXPECT_EQ(result.at("converged"), true);
  EXPECT_EQ(result.at("marginal_error").size(), 2u);
  EXPECT_FALSE(result.contains("certificate"));
  EXPECT_FALSE(exists("out/model.safetensors"));
  // A marginal error of 1e-9 moves at most that much mass over a distance of at most 5 (squared
  // diameter of the two unit squares, 2 * 1.5^2).
  const double gap = result.at("objective").get<double>() - result.at("dual_value").get<double>();
  EXPECT_LE(gap, 2e-8);
}

TEST_F(Run, tells_when_each_iteration_of_sinkhorn_was_over) {
  ASSERT_EQ(solve({"--set", "solver.name=sinkhorn"}).exit_code, 0);
  std::istringstream lines(read("out/metrics.jsonl"));
  std::int64_t num_lines = 0;
  double seconds = 0;
  for (std::string line; std::getline(lines, line);) {
    const Json record = Json::parse(line);
    EXPECT_EQ(record.at("step"), ++num_lines);
    EXPECT_GE(record.at("seconds"), seconds);
    seconds = record.at("seconds");
  }
  const Json result = json("out/result.json");
  EXPECT_EQ(result.at("iterations"), num_lines);
  EXPECT_GT(seconds, 0);
  EXPECT_LE(seconds, result.at("seconds").at("solve"));
}

TEST_F(Run, says_so_and_returns_4_when_it_is_not_converged) {
  const ProcessOutcome outcome = solve(
      {"--set", "solver.name=sinkhorn", "--set", "solver.sinkhorn.max_iterations=1", "--quiet"});
  EXPECT_EQ(outcome.exit_code, 4);
  EXPECT_NE(outcome.err.find("max_iterations"), std::string::npos) << outcome.err;
  EXPECT_EQ(json("out/result.json").at("converged"), false);
  EXPECT_EQ(json("out/STATUS").at("state"), "not converged");
}

TEST_F(Run, prints_nothing_when_it_is_quiet_and_succeeds) {
  const ProcessOutcome outcome =  // at .5 the plan would be nearly independent: a warning
      solve({"--quiet", "--set", "solver.name=sinkhorn", "--set", "problem.epsilon=0.05"});
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_EQ(outcome.out + outcome.err, "");
}

TEST_F(Run, says_which_settings_have_no_effect) {
  write_problem("held.toml", "0.5", "path = \"x.npy\"\nholdout = 0.25", "path = \"y.npy\"");
  for (const char* solver : {"solver.name=sinkhorn", "solver.name=progot"}) {
    const ProcessOutcome outcome = kantor({"run", "held.toml", "--out", solver, "--set", solver});
    EXPECT_NE(outcome.err.find("/x.npy has no effect"), std::string::npos) << outcome.err;
  }
  const ProcessOutcome far = kantor({"run", "problem.toml", "--out", "far", "--set",
                                     "solver.neural.batch=500", "--set", "solver.neural.steps=2"});
  EXPECT_NE(far.err.find("batch = 500 draws each of at most 50 points 10 times a step"),
            std::string::npos)
      << far.err;
}

TEST_F(Run, writes_nothing_when_it_is_dry) {
  const ProcessOutcome outcome = kantor({"run", "problem.toml", "--dry-run"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("epsilon = 0.5"), std::string::npos) << outcome.out;
  EXPECT_FALSE(exists("runs"));
}

TEST_F(Run, repeats_itself_bit_by_bit) {
  solve({"--quiet"});
  kantor({"run", "problem.toml", "--out", "again", "--quiet"});
  EXPECT_EQ(read("out/potentials/0.npy"), read("again/potentials/0.npy"));
  EXPECT_EQ(read("out/model.safetensors"), read("again/model.safetensors"));
}

TEST_F(Run, can_start_from_the_resolved_configuration_of_another_run) {
  solve({"--quiet"});
  // From another folder: relative paths in it start from where it lies.
  std::filesystem::create_directory(folder().path() / "elsewhere");
  const ProcessOutcome outcome =
      run_process({KANTOR_BINARY, "run", "../out/resolved.toml", "--out", "again", "--quiet"},
                  folder().file("elsewhere"), 120);
  EXPECT_LE(outcome.exit_code, 4) << outcome.err;
  EXPECT_EQ(read("out/potentials/0.npy"), read("elsewhere/again/potentials/0.npy"));
}

TEST_F(Run, moves_the_points_when_the_solver_is_progot) {
  const std::vector<std::string> settings = {
      "run",   "problem.toml",       "--out", "out",
      "--set", "solver.name=progot", "--set", "solver.progot.steps=3"};
  const ProcessOutcome outcome = kantor(settings);
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  const Json result = json("out/result.json");
  expect_fields(result);
  EXPECT_EQ(result.at("solver"), "progot");
  for (const char* key : {"epsilons", "alphas", "iterations_per_step", "converged_per_step"}) {
    EXPECT_EQ(result.at(key).size(), 3u) << key;
  }
  EXPECT_EQ(result.at("alphas").back(), 1);
  EXPECT_LE(result.at("last_step").at("dual_value"), result.at("last_step").at("objective"));
  EXPECT_FALSE(result.contains("diagonal_mass"));  // 40 x 50 points
  EXPECT_NE(outcome.out.find("solves         3: "), std::string::npos) << outcome.out;
  EXPECT_EQ(data::open_npy(folder().file("out/points.npy"))->num_rows(), 40);
  EXPECT_EQ(json("out/model.json").at("format"), "kantor progot");

  ASSERT_EQ(kantor({"eval", "out", "--points", "x.npy", "--out", "new"}).exit_code, 0);
  const std::vector<double> stored = data::read_npy_vector(folder().file("out/potentials/0.npy"));
  const std::vector<double> met = data::read_npy_vector(folder().file("new/potential.npy"));
  ASSERT_EQ(met.size(), stored.size());
  // One c-transform moves f_i by at most eps times the error over a_i, as for Sinkhorn below; the
  // last step alone has the tolerance 1e-9, and its cloud is the one that was stored.
  for (std::size_t i = 0; i < met.size(); ++i) EXPECT_NEAR(met[i], stored[i], 5e-8) << i;
  EXPECT_EQ(data::open_npy(folder().file("new/map.npy"))->num_dims(), 2);
}

TEST_F(Run, names_the_step_of_progot_that_is_not_converged) {
  const ProcessOutcome outcome =
      solve({"--quiet", "--set", "solver.name=progot", "--set", "solver.sinkhorn.max_iterations=1",
             "--set", "solver.progot.first_tolerance=1e-6"});
  EXPECT_EQ(outcome.exit_code, 4);
  EXPECT_NE(outcome.err.find("step 1 of 4"), std::string::npos) << outcome.err;
}

class Eval : public Run {
 protected:
  Eval() { solve({"--quiet", "--set", "solver.name=sinkhorn"}); }

  ProcessOutcome eval(const std::vector<std::string>& more) const {
    std::vector<std::string> words = {"eval", "out"};
    words.insert(words.end(), more.begin(), more.end());
    return kantor(words);
  }
  std::vector<double> vector(const std::string& name) const {
    return data::read_npy_vector(folder().file(name));
  }
};

TEST_F(Eval, gives_the_stored_potentials_at_the_points_of_the_run) {
  for (const std::string marginal : {"0", "1"}) {
    const ProcessOutcome outcome = eval({"--points", marginal == "0" ? "x.npy" : "y.npy",
                                         "--marginal", marginal, "--out", "new" + marginal});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    const std::vector<double> stored = vector("out/potentials/" + marginal + ".npy");
    const std::vector<double> met = vector("new" + marginal + "/potential.npy");
    ASSERT_EQ(met.size(), stored.size());
    for (std::size_t i = 0; i < met.size(); ++i) {
      // One c-transform moves f_i by eps log(row sum / a_i): at most eps * (error / a_i) to first
      // order = 0.5 * 1e-9 * 50, and the gauge constant likewise. Factor 2 for both.
      EXPECT_NEAR(met[i], stored[i], 5e-8) << i;
    }
  }
}

TEST_F(Eval, maps_points_into_the_hull_of_the_other_marginal) {
  const ProcessOutcome outcome = eval({"--points", "x.npy", "--out", "new"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  const auto map = data::open_npy(folder().file("new/map.npy"));
  EXPECT_EQ(map->num_rows(), 40);
  EXPECT_EQ(map->num_dims(), 2);
  for (std::int64_t row = 0; row < 40; ++row) {
    double point[2];
    map->read(std::vector{row}, point);
    for (const double value : point) {
      EXPECT_GT(value, 0.5);  // y lies in (0.5, 1.5)^2, and its means well inside
      EXPECT_LT(value, 1.5);
    }
  }
}

TEST_F(Eval, uses_the_network_when_the_run_had_one) {
  ASSERT_LE(kantor({"run", "problem.toml", "--out", "neural", "--quiet"}).exit_code, 4);
  ASSERT_EQ(kantor({"eval", "neural", "--points", "x.npy", "--out", "new"}).exit_code, 0);
  const std::vector<double> stored = vector("neural/potentials/0.npy");
  const std::vector<double> met = vector("new/potential.npy");
  ASSERT_EQ(met.size(), stored.size());
  for (std::size_t i = 0; i < met.size(); ++i) {
    // The same network in the same precision; only the shift to the gauge may round differently.
    EXPECT_NEAR(met[i], stored[i], 1e-12 * (1 + std::abs(stored[i]))) << i;
  }
}

TEST_F(Eval, maps_without_bias_where_the_run_has_a_divergence) {
  expect_refused(eval({"--points", "x.npy", "--debiased", "--out", "new"}), 2,
                 {"divergence/0.npy", "solver.sinkhorn.divergence = true"});
  ASSERT_EQ(kantor({"run", "problem.toml", "--out", "both", "--quiet", "--set",
                    "solver.name=sinkhorn", "--set", "solver.sinkhorn.divergence=true"})
                .exit_code,
            0);
  EXPECT_NE(read("both/result.json").find("\"divergence\""), std::string::npos);
  for (const std::string name : {"plain", "debiased"}) {
    std::vector<std::string> words = {"eval", "both", "--points", "x.npy", "--out", name};
    if (name == "debiased") words.push_back("--debiased");
    ASSERT_EQ(kantor(words).exit_code, 0);
  }
  EXPECT_EQ(read("plain/potential.npy"), read("debiased/potential.npy"));
  EXPECT_NE(read("plain/map.npy"), read("debiased/map.npy"));
}

TEST_F(Eval, says_how_a_run_of_progot_is_debiased) {
  for (const std::string debiased : {"false", "true"}) {
    ASSERT_EQ(
        kantor({"run", "problem.toml", "--out", debiased, "--quiet", "--set", "solver.name=progot",
                "--set", "solver.progot.debiased=" + debiased, "--set", "solver.progot.steps=2"})
            .exit_code,
        0);
    expect_refused(kantor({"eval", debiased, "--points", "x.npy", "--debiased", "--out", "new"}), 2,
                   {"progot", "solver.progot.debiased = " + debiased, "leave the flag out"});
    EXPECT_FALSE(exists("new"));
  }
}

TEST_F(Run, solves_a_matrix_of_costs_and_refuses_to_evaluate_it) {
  const std::vector<double> costs = {0, 1, 1, 0};
  data::write_npy(folder().file("C.npy"), costs, std::vector<std::int64_t>{2, 2});
  write("matrix.toml",
        "[problem]\ncost = \"matrix\"\ncost_file = \"C.npy\"\nepsilon = 1.0\n"
        "[solver]\nname = \"sinkhorn\"\n");
  const ProcessOutcome outcome = kantor({"run", "matrix.toml", "--out", "matrix"});
  ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_EQ(outcome.out.find("d = "), std::string::npos) << outcome.out;
  EXPECT_NE(read("matrix/result.json").find("\"cost\": \"matrix\""), std::string::npos);
  expect_refused(kantor({"eval", "matrix", "--points", "C.npy", "--out", "new"}), 2, {"matrix"});
  const ProcessOutcome shown = kantor({"inspect", "matrix.toml"});
  EXPECT_EQ(shown.exit_code, 0) << shown.err;
  EXPECT_NE(shown.out.find("2 x 2"), std::string::npos) << shown.out;
  EXPECT_EQ(kantor({"inspect", "matrix"}).exit_code, 0);
  // The same again from where it stands, and another file's run is another's.
  EXPECT_EQ(kantor({"run", "matrix/resolved.toml", "--out", "again", "--quiet"}).exit_code, 0);
}

TEST_F(Eval, refuses_points_that_do_not_fit) {
  write_points("wide.npy", 5, 3, 0);
  expect_refused(eval({"--points", "wide.npy", "--out", "new"}), 3, {"wide.npy", "3", "2"});
  write_points("flat.npy", 6, 1, 0);
  expect_refused(eval({"--points", "flat.npy", "--out", "new"}), 3,
                 {"dimension 1", "expected a matrix [k, 2]", "x.reshape(-1, 2)"});
  expect_refused(eval({"--points", "nowhere.npy", "--out", "new"}), 3, {"nowhere.npy"});
  const std::vector<double> bad = {0, 1, 2, std::nan("")};
  data::write_npy(folder().file("bad.npy"), bad, std::vector<std::int64_t>{2, 2});
  expect_refused(eval({"--points", "bad.npy", "--out", "new"}), 3,
                 {"bad.npy", "row 1", "column 1"});
  EXPECT_FALSE(exists("new"));
}

TEST_F(Eval, refuses_a_run_that_is_missing_unfinished_or_no_run) {
  expect_refused(kantor({"eval", "nowhere", "--points", "x.npy", "--out", "new"}), 2, {"nowhere"});
  expect_refused(kantor({"eval", ".", "--points", "x.npy", "--out", "new"}), 2, {"resolved.toml"});
  std::filesystem::remove(folder().path() / "out/result.json");
  write("out/STATUS", "{\"state\": \"failed\", \"reason\": \"loss is NaN\"}");
  expect_refused(eval({"--points", "x.npy", "--out", "new"}), 78, {"failed", "loss is NaN"});
}

TEST_F(Eval, refuses_a_run_whose_data_has_changed) {
  write_points("x.npy", 40, 2, 0.25);
  expect_refused(eval({"--points", "y.npy", "--out", "new"}), 3, {"x.npy", "changed"});
}

TEST_F(Eval, refuses_a_run_whose_potentials_are_damaged) {
  const std::string whole = read("out/potentials/1.npy");
  write("out/potentials/1.npy", whole.substr(0, whole.size() - 3));
  expect_refused(eval({"--points", "x.npy", "--out", "new"}), 3, {"1.npy"});
  Json old = json("out/result.json");  // older runs have no checksums
  old.erase("checksums");
  write("out/result.json", old.dump());
  std::filesystem::copy_file(folder().path() / "out/potentials/0.npy",
                             folder().path() / "out/potentials/1.npy",
                             std::filesystem::copy_options::overwrite_existing);
  expect_refused(eval({"--points", "x.npy", "--out", "new"}), 3, {"1.npy", "40", "50"});
}

TEST_F(Eval, writes_nothing_over) {
  expect_refused(eval({"--points", "x.npy", "--out", "out"}), 78, {"out"});
  expect_refused(eval({"--points", "x.npy", "--out", "x.npy/below"}), 74, {"x.npy/below"});
}

TEST_F(Eval, says_that_there_is_no_map_when_the_cost_has_none) {
  ASSERT_EQ(kantor({"run", "problem.toml", "--out", "norm", "--quiet", "--set",
                    "problem.cost=euclidean", "--set", "solver.name=sinkhorn"})
                .exit_code,
            0);
  const ProcessOutcome outcome = kantor({"eval", "norm", "--points", "x.npy", "--out", "new"});
  EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("no map.npy"), std::string::npos) << outcome.out;
  EXPECT_TRUE(exists("new/potential.npy"));
  EXPECT_FALSE(exists("new/map.npy"));
}

}  // namespace
}  // namespace kantor::test
