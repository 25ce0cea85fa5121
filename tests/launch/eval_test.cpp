// What eval and others that read a finished run make of it: points treated as the run treated its
// own, files that are not what the run wrote, data and runs that have moved. One process.

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "runtime/core/error.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/safetensors.hpp"
#include "tests/launch/launch_fixture.hpp"

namespace kantor::test {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;
using Words = std::vector<std::string>;

class FinishedRun : public Launch {
 protected:
  FinishedRun() { write_small_problem(); }

  fs::path at(const std::string& name) const { return folder().path() / name; }
  void solve(const std::string& out, const Words& settings = {}) const {
    Words words = {"run", "problem.toml", "--out", out, "--quiet", "--set", "solver.name=sinkhorn"};
    for (const std::string& setting : settings) words.insert(words.end(), {"--set", setting});
    const ProcessOutcome outcome = kantor(words);
    ASSERT_LE(outcome.exit_code, 4) << outcome.err;
  }
  ProcessOutcome eval(const std::string& run, const std::string& points, const Words& more = {},
                      const std::string& out = "new") const {
    Words words = {"eval", run, "--points", points, "--out", out};
    words.insert(words.end(), more.begin(), more.end());
    return kantor(words);
  }
  void expect_evaluated(const std::string& run, const Words& more = {}) const {
    const ProcessOutcome outcome = eval(run, "y.npy", more);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    fs::remove_all(at("new"));
  }
  /// Nothing of it is written.
  void expect_eval_refused(const std::string& run, int exit_code, const Words& said,
                           const Words& more = {}) const {
    expect_refused(eval(run, "y.npy", more), exit_code, said);
    EXPECT_FALSE(exists("new"));
  }
  std::vector<double> vector(const std::string& name) const {
    return data::read_npy_vector(folder().file(name));
  }
  std::vector<double> values(const std::string& name, std::int64_t n) const {
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row < n; ++row) rows.push_back(row);
    std::vector<double> result(rows.size() * 2);
    data::open_npy(folder().file(name))->read(rows, result.data());
    return result;
  }
  void copy(const std::string& from, const std::string& to) const {
    fs::copy_file(at(from), at(to), fs::copy_options::overwrite_existing);
  }
  /// As versions before checksums and relative paths have left it.
  void make_old(const std::string& run) const {
    Json result = Json::parse(read(run + "/result.json"));
    result.erase("checksums");
    write(run + "/result.json", result.dump());
    std::string resolved = read(run + "/resolved.toml");
    resolved.erase(resolved.find("run_directory"));
    for (const char* name : {"x.npy", "y.npy"}) {
      const auto place = resolved.find(concat("\"../", name));
      ASSERT_NE(place, std::string::npos) << resolved;
      resolved.replace(place + 1, 2, fs::canonical(folder().path()).string());
    }
    write(run + "/resolved.toml", resolved);
  }
};

TEST_F(FinishedRun, treats_new_points_as_it_treated_its_own) {
  // A power of two, so that scaled points are exact; another for the other marginal.
  write_problem("problem.toml", "0.5", "path = \"x.npy\"\nscale = 0.5",
                "path = \"y.npy\"\nscale = -2.0");
  solve("out");
  for (const auto& [points, marginal, scale, n] :
       {std::tuple{"x.npy", "0", .5, 40}, std::tuple{"y.npy", "1", -2.0, 50}}) {
    const ProcessOutcome outcome = eval("out", points, {"--marginal", marginal});
    ASSERT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_NE(outcome.out.find(concat("times ", scale, ", the scale of marginal ", marginal)),
              std::string::npos)
        << outcome.out;
    EXPECT_NE(outcome.out.find("--as-is"), std::string::npos) << outcome.out;
    const std::vector<double> stored = vector(concat("out/potentials/", marginal, ".npy"));
    const std::vector<double> met = vector("new/potential.npy");
    ASSERT_EQ(met.size(), stored.size());
    // One c-transform moves f_i by at most eps * (error / a_i) = .5 * 1e-9 * 50, and the gauge
    // constant likewise. Factor 2 for both.
    for (std::size_t i = 0; i < met.size(); ++i) EXPECT_NEAR(met[i], stored[i], 5e-8) << i;

    std::vector<double> scaled = values(points, n);
    for (double& value : scaled) value *= scale;
    data::write_npy(folder().file("scaled.npy"), scaled, std::vector<std::int64_t>{n, 2});
    const ProcessOutcome as_is =
        eval("out", "scaled.npy", {"--marginal", marginal, "--as-is"}, "as_is");
    ASSERT_EQ(as_is.exit_code, 0) << as_is.err;
    EXPECT_NE(as_is.out.find("taken as they are"), std::string::npos) << as_is.out;
    for (const char* name : {"potential.npy", "map.npy"}) {
      EXPECT_EQ(read(concat("new/", name)), read(concat("as_is/", name))) << name;
    }
    fs::remove_all(at("new"));
    fs::remove_all(at("as_is"));
  }
}

/// A squared distance of 1e400 is beyond double.
TEST_F(FinishedRun, gives_nothing_where_a_value_is_not_finite) {
  solve("out");
  const std::vector<double> points = {0, 0, 1, 1e200};
  data::write_npy(folder().file("p.npy"), points, std::vector<std::int64_t>{2, 2});
  expect_refused(eval("out", "p.npy"), 3, {"potential at point 1", "expected points near"});
  EXPECT_FALSE(exists("new"));
}

TEST_F(FinishedRun, says_nothing_of_a_scale_that_is_none) {
  solve("out");
  const ProcessOutcome outcome = eval("out", "x.npy");
  EXPECT_EQ(outcome.out.find("scale"), std::string::npos) << outcome.out;
}

TEST_F(FinishedRun, takes_new_points_in_every_format_that_a_run_takes) {
  solve("out");
  const std::vector<double> points = {3, 1, 4, 1, 5, 9};
  data::write_npy(folder().file("p.npy"), points, std::vector<std::int64_t>{3, 2});
  data::write_safetensors(folder().file("p.safetensors"),
                          {{.name = "other", .shape = {1}, .values = {3}, .is_float64 = true},
                           {.name = "new", .shape = {3, 2}, .values = points, .is_float64 = true}},
                          {});
  write("p", std::string("\0\0\x08\x03\0\0\0\x03\0\0\0\x01\0\0\0\x02\x03\x01\x04\x01\x05\x09", 22));
  ASSERT_EQ(eval("out", "p.npy").exit_code, 0);
  ASSERT_EQ(eval("out", "p.safetensors", {"--key", "new"}, "tensor").exit_code, 0);
  ASSERT_EQ(eval("out", "p", {}, "idx").exit_code, 0);
  EXPECT_EQ(read("tensor/map.npy"), read("new/map.npy"));
  EXPECT_EQ(read("idx/map.npy"), read("new/map.npy"));
  expect_refused(eval("out", "p.safetensors", {}, "more"), 78, {"p.safetensors", "key", "\"new\""});
  expect_refused(eval("out", "p.npy", {"--key", "new"}, "more"), 78, {"p.npy", "key"});
}

TEST_F(FinishedRun, is_refused_when_a_file_is_of_another_run) {
  solve("out", {"solver.sinkhorn.divergence=true"});
  solve("other", {"solver.sinkhorn.divergence=true", "problem.epsilon=0.25"});
  for (const std::string name : {"potentials/0.npy", "potentials/1.npy", "divergence/1.npy"}) {
    const std::string whole = read("out/" + name);
    copy("other/" + name, "out/" + name);
    expect_eval_refused("out", 3, {"out/" + name, "of another run", "checksum"});
    expect_refused(kantor({"inspect", "out"}), 3, {"out/" + name, "of another run"});
    fs::remove(at("out/" + name));
    expect_eval_refused("out", 3, {"out/" + name, "missing"});
    write("out/" + name, whole);
  }
  expect_evaluated("out");
  copy("other/result.json", "out/result.json");
  expect_eval_refused("out", 3, {"out", "epsilon 0.25", "epsilon 0.5"});
}

TEST_F(FinishedRun, is_refused_when_its_result_names_files_out_of_it) {
  solve("out");
  Json result = Json::parse(read("out/result.json"));
  const std::string sum = result["checksums"]["potentials/0.npy"];
  for (const std::string& name : {std::string("potentials/../../x.npy"), at("x.npy").string()}) {
    result["checksums"] = {{name, sum}};
    write("out/result.json", result.dump());
    expect_eval_refused("out", 3, {"out/result.json", "names a file out of the run", name});
  }
}

TEST_F(FinishedRun, is_refused_when_its_model_is_of_another_run_or_gone) {
  solve("out", {"solver.name=neural"});
  solve("other", {"solver.name=neural", "run.seed=1"});
  for (const std::string name : {"model.json", "model.safetensors"}) {
    const std::string whole = read("out/" + name);
    copy("other/" + name, "out/" + name);
    expect_eval_refused("out", 3, {"out/" + name, "of another run"});
    fs::remove(at("out/" + name));  // it would have counted as a run without a network
    expect_eval_refused("out", 3, {"out/" + name, "missing"});
    write("out/" + name, whole);
  }
  expect_evaluated("out");
}

TEST_F(FinishedRun, is_no_start_when_a_file_is_of_another_run) {
  solve("out");
  solve("other", {"problem.epsilon=0.25"});
  copy("other/potentials/1.npy", "out/potentials/1.npy");
  expect_refused(kantor({"run", "problem.toml", "--out", "warm", "--set", "solver.name=sinkhorn",
                         "--set", "solver.sinkhorn.warm_start=out"}),
                 3, {"out/potentials/1.npy", "of another run"});
  EXPECT_FALSE(exists("warm"));
}

TEST_F(FinishedRun, has_not_finished_when_its_result_is_damaged) {
  solve("out");
  const std::string whole = read("out/result.json");
  for (const std::string& text : {std::string(), std::string("{}"), std::string("[1, 2"),
                                  whole.substr(0, whole.size() / 2), std::string("converged")}) {
    SCOPED_TRACE(text);
    write("out/result.json", text);
    expect_eval_refused("out", 3, {"out/result.json", "damaged"});
    expect_refused(kantor({"run", "problem.toml", "--out", "out", "--resume", "--set",
                           "solver.name=sinkhorn"}),
                   3, {"out/result.json", "damaged", "remove it"});
    expect_refused(kantor({"run", "problem.toml", "--out", "warm", "--set", "solver.name=sinkhorn",
                           "--set", "solver.sinkhorn.warm_start=out"}),
                   3, {"out/result.json", "damaged"});
    EXPECT_EQ(read("out/result.json"), text);
  }
  fs::remove(at("out/result.json"));  // as it says
  EXPECT_EQ(kantor({"run", "problem.toml", "--out", "out", "--resume", "--quiet", "--set",
                    "solver.name=sinkhorn"})
                .exit_code,
            0);
  EXPECT_EQ(Json::parse(read("out/result.json")).at("checksums"),
            Json::parse(whole).at("checksums"));
}

TEST_F(FinishedRun, of_an_older_version_is_read_as_well) {
  solve("out");
  make_old("out");
  expect_evaluated("out");
  EXPECT_EQ(kantor({"inspect", "out"}).exit_code, 0);
  const ProcessOutcome resumed =
      kantor({"run", "problem.toml", "--out", "out", "--resume", "--set", "solver.name=sinkhorn"});
  EXPECT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_NE(resumed.err.find("has finished"), std::string::npos) << resumed.err;
}

/// Without a checksum the values tell.
TEST_F(FinishedRun, of_an_older_version_is_refused_when_a_number_is_none) {
  solve("out");
  make_old("out");
  std::vector<double> potential = vector("out/potentials/1.npy");
  potential[7] = std::nan("");
  data::write_npy(folder().file("out/potentials/1.npy"), potential, std::vector<std::int64_t>{50});
  expect_eval_refused("out", 3, {"out/potentials/1.npy", "value 7 is nan"});

  solve("neural", {"solver.name=neural"});
  make_old("neural");
  auto tensors = data::read_safetensors(folder().file("neural/model.safetensors"));
  tensors.front().values.front() = -HUGE_VAL;
  data::write_safetensors(folder().file("neural/model.safetensors"), tensors, {});
  expect_eval_refused("neural", 3, {"neural/model.safetensors", tensors.front().name, "-inf"});
}

TEST_F(FinishedRun, is_evaluated_wherever_it_and_its_data_have_moved) {
  fs::create_directories(at("project/data"));
  fs::rename(at("x.npy"), at("project/x.npy"));
  fs::rename(at("y.npy"), at("project/data/y.npy"));
  write_problem("project/problem.toml", "0.5", "path = \"x.npy\"", "path = \"data/y.npy\"");
  const ProcessOutcome solved = kantor({"run", "project/problem.toml", "--out", "project/runs/a",
                                        "--quiet", "--set", "solver.name=sinkhorn"});
  ASSERT_EQ(solved.exit_code, 0) << solved.err;
  copy("project/data/y.npy", "y.npy");
  fs::rename(at("project"), at("renamed"));  // all together
  expect_evaluated("renamed/runs/a");
  fs::rename(at("renamed/runs/a"), at("moved"));  // the run alone, after that
  expect_eval_refused("moved", 3, {"x.npy", "--data-root"});
  expect_evaluated("moved", {"--data-root", "renamed"});
  fs::rename(at("renamed"), at("project"));  // data where they were, the run not
  expect_evaluated("moved");
  // By as much of the end of the path as is there: data/y.npy, not the y.npy beside.
  write_points("project/y.npy", 50, 2, .25);
  expect_evaluated("moved", {"--data-root", "project"});
  fs::remove(at("project/data/y.npy"));
  expect_eval_refused("moved", 3, {"y.npy", "changed", "--data-root"}, {"--data-root", "project"});
  fs::remove(at("project/y.npy"));
  expect_eval_refused("moved", 3, {"y.npy", "below --data-root project"},
                      {"--data-root", "project"});
  expect_eval_refused("moved", 2, {"--data-root nowhere", "no such folder"},
                      {"--data-root", "nowhere"});
}

TEST_F(FinishedRun, names_data_relative_to_itself_where_they_lie_beside_it) {
  const auto has_path = [&](const std::string& run, const std::string& path) {
    return read(run + "/resolved.toml").find(concat("path = \"", path, "\"")) != std::string::npos;
  };
  solve("out");
  EXPECT_TRUE(has_path("out", "../x.npy"));
  solve("runs/b");
  EXPECT_TRUE(has_path("runs/b", "../../x.npy"));
  solve("deep/er/runs/c");
  EXPECT_TRUE(has_path("deep/er/runs/c", (fs::canonical(folder().path()) / "x.npy").string()));
}

}  // namespace
}  // namespace kantor::test
