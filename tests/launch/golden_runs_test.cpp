// Small runs of every solver, compared with what they gave before: results, resolved configuration,
// arrays, model files and a checkpoint in mid-run, bit for bit. KANTOR_RECORD_GOLDEN=1 writes what
// comes out into golden/ instead; a change there needs its reason in the commit.

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/data/fingerprint.hpp"
#include "runtime/data/npy.hpp"
#include "tests/launch/interrupted.hpp"

namespace kantor::test {
namespace {

using Json = nlohmann::ordered_json;
using Words = std::vector<std::string>;

struct GoldenRun {
  const char* name;
  Words settings;
};

// epsilon is relative, weights and sizes differ, and one weight is zero: what the solvers share is
// all in use.
constexpr const char* kProblem = R"([problem]
epsilon = { relative = "mean", scale = 0.05 }
[[problem.marginals]]
generator = { name = "gaussian_mixture", n = 61, d = 3, seed = 1 }
weights = "a.npy"
[[problem.marginals]]
generator = { name = "gaussian", n = 50, d = 3, seed = 2 }
[solver.neural]
steps = 40
batch = 24
warmup_steps = 5
log_every = 10
network = { width = [8] }
[solver.sinkhorn]
tolerance = 1e-4
storage = "materialised"
[run]
checkpoint = { every_steps = 10, keep = 1000 }
threads = 1
)";

void PrintTo(const GoldenRun& run, std::ostream* out) { *out << run.name; }

const std::vector<GoldenRun>& golden_runs() {
  static const std::vector<GoldenRun> runs = {
      {"neural_float32", {"solver.name=neural"}},
      {"neural_float64", {"solver.name=neural", "run.precision=float64"}},
      {"neural_local", {"solver.name=neural", "solver.neural.negatives=local"}},
      {"sinkhorn_plain", {"solver.name=sinkhorn"}},
      {"sinkhorn_streamed_float64",
       {"solver.name=sinkhorn", "solver.sinkhorn.storage=streamed", "run.precision=float64"}},
      {"sinkhorn_momentum", {"solver.name=sinkhorn", "solver.sinkhorn.momentum=adaptive"}},
      {"sinkhorn_absorbed", {"solver.name=sinkhorn", "solver.sinkhorn.storage=absorbed"}},
      {"sinkhorn_absorbed16", {"solver.name=sinkhorn", "solver.sinkhorn.storage=absorbed16"}},
      {"sinkhorn_unbalanced", {"solver.name=sinkhorn", "problem.rho=[1.0, inf]"}},
      {"sinkhorn_divergence",
       {"solver.name=sinkhorn", "solver.sinkhorn.divergence=true",
        "solver.sinkhorn.epsilon_decay={start=4.0,factor=0.5}"}},
      {"progot", {"solver.name=progot"}},
      {"progot_tuned_debiased",
       {"solver.name=progot", "solver.progot.epsilon_schedule=tuned", "solver.progot.debiased=true",
        "solver.sinkhorn.momentum=1.4"}},
  };
  return runs;
}

std::string hexadecimal(std::uint64_t value) {
  std::ostringstream text;
  text << std::hex << value;
  return text.str();
}

std::string hash_of(std::span<const std::byte> bytes) { return hexadecimal(data::checksum(bytes)); }

std::string hash_of(const std::string& text) {
  return hash_of(std::as_bytes(std::span<const char>(text)));
}

Json described(const checkpoint::Snapshot& snapshot) {
  Json json = {{"step", snapshot.metadata.step},
               {"samples_seen", snapshot.metadata.samples_seen},
               {"config_hash", hexadecimal(snapshot.metadata.config_hash)},
               {"config_text", hash_of(snapshot.metadata.config_text)}};
  for (const auto& [name, value] : snapshot.metadata.numbers) {
    if (name.find("seconds") == std::string::npos) json["numbers"][name] = value;
  }
  for (const auto& [name, value] : snapshot.metadata.integers) json["integers"][name] = value;
  for (const checkpoint::Tensor& tensor : snapshot.tensors) {
    json["tensors"][tensor.name] =
        checkpoint::type_text(tensor.kind, tensor.shape) + " " + hash_of(tensor.data);
  }
  return json;
}

class GoldenRuns : public Interrupted {
 protected:
  GoldenRuns() {
    // The same code on every processor, LibTorch's products included.
    setenv("KANTOR_INSTRUCTION_SET", "portable", 1);
    setenv("MKL_CBWR", "COMPATIBLE", 1);
    write("problem.toml", kProblem);
    std::vector<double> weights(61, 1.0 / 64);
    weights[0] = 5.0 / 64;
    weights[7] = 0;
    data::write_npy(folder().file("a.npy"), weights, std::vector<std::int64_t>{61});
  }

  /// The run at this place, with the golden facts that it has there.
  void expect_golden(const GoldenRun& run, const Placement& where) const {
    const std::string out = std::string(run.name) + "_" + where.name;
    SCOPED_TRACE(out);
    const ProcessOutcome outcome = this->run(out, where, run.settings);
    ASSERT_TRUE(exists(out + "/result.json")) << outcome.err;
    Json facts = facts_of(out);
    facts["exit_code"] = outcome.exit_code;
    const std::string file =
        std::string(KANTOR_SOURCE) + "/tests/launch/golden/" + run.name + ".json";
    Json golden = Json::object();
    if (std::ifstream stream(file); stream) golden = Json::parse(stream);
    if (std::getenv("KANTOR_RECORD_GOLDEN") != nullptr) {
      golden[where.name] = facts;
      std::ofstream(file) << golden.dump(1) << "\n";
    }
    ASSERT_TRUE(golden.contains(where.name)) << "not in " << file;
    EXPECT_TRUE(facts == golden[where.name]) << Json::diff(golden[where.name], facts).dump(1);
  }

  Json facts_of(const std::string& out) const {
    Json facts = {{"result", without_times(Json::parse(read(out + "/result.json")))}};
    const std::filesystem::path root = folder().path() / out;
    std::vector<std::string> files;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
      const std::string file = std::filesystem::relative(entry.path(), root).string();
      const bool is_array = file.ends_with(".npy") || file.ends_with(".safetensors");
      if (is_array || file == "model.json") files.push_back(file);
    }
    std::sort(files.begin(), files.end());
    for (const std::string& file : files) facts["files"][file] = hash_of(read(out + "/" + file));
    facts["files"]["resolved.toml"] = hash_of(without_folder(read(out + "/resolved.toml")));
    const std::vector<std::int64_t> steps = saved_steps(out);
    const std::int64_t middle = steps.at(steps.size() / 2);
    facts["checkpoint"] =
        described(checkpoint::read_checkpoint(folder().file(checkpoint(out, middle))));
    return facts;
  }

 private:
  std::string without_folder(std::string text) const {
    const std::string folder_name = folder().path().string() + "/";
    for (auto at = text.find(folder_name); at != std::string::npos; at = text.find(folder_name)) {
      text.erase(at, folder_name.size());
    }
    return text;
  }
};

class EachGoldenRun : public GoldenRuns, public testing::WithParamInterface<GoldenRun> {};

TEST_P(EachGoldenRun, gives_the_bits_that_it_gave) {
  for (const Placement& where : {kAlone, kTwoThreads, kTwoProcesses}) {
    expect_golden(GetParam(), where);
  }
}

INSTANTIATE_TEST_SUITE_P(Solvers, EachGoldenRun, testing::ValuesIn(golden_runs()),
                         [](const auto& each) { return std::string(each.param.name); });

TEST_F(GoldenRuns, give_the_bits_that_they_gave_in_strict_mode) {
  for (const Placement& where : {kAlone, kTwoProcesses}) {
    expect_golden({"strict_neural", {"solver.name=neural", "run.deterministic=\"strict\""}}, where);
    expect_golden({"strict_sinkhorn", {"solver.name=sinkhorn", "run.deterministic=\"strict\""}},
                  where);
  }
}

}  // namespace
}  // namespace kantor::test
