#include "launch/finished_run.hpp"

#include <cmath>
#include <filesystem>

#include "launch/identity.hpp"
#include "launch/output_directory.hpp"
#include "launch/run_directory.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/row_sources.hpp"
#include "runtime/data/safetensors.hpp"
#include "solvers/problem/open_marginals.hpp"

// Shapes: n points of a marginal, D dimensions.

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRemedy = "; restore it, or solve the problem again in another --out";

std::string file_of(const std::string& run_directory, const std::string& name) {
  return (fs::path(run_directory) / name).string();
}

bool has_file(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

void check_finite(const std::vector<double>& values, const std::string& what) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw DataError(concat(what, " is damaged: value ", i, " is ", values[i], kRemedy));
  }
}

std::vector<double> read_finite(const std::string& path) {
  std::vector<double> values = data::read_npy_vector(path);
  check_finite(values, path);
  return values;
}

/// points.npy. @return [n, D].
std::vector<double> read_moved_points(const std::string& path, const Problem& problem) {
  const auto source = data::open_npy(path);
  if (source->num_rows() != problem.n(0) || source->num_dims() != problem.d()) {
    throw DataError(concat(path, " has ", source->num_rows(), " points of dimension ",
                           source->num_dims(), ", but marginal 0 has ", problem.n(0), " of ",
                           problem.d(), kRemedy));
  }
  std::vector<std::int64_t> rows;
  for (std::int64_t row = 0; row < problem.n(0); ++row) rows.push_back(row);
  std::vector<double> values(rows.size() * static_cast<std::size_t>(problem.d()));
  source->read(rows, values.data());
  check_finite(values, path);
  return values;
}

void read_model(const std::string& run_directory, StoredRun& run) {
  run.model_json = read_text_file(file_of(run_directory, "model.json"));
  const std::string path = file_of(run_directory, "model.safetensors");
  for (data::NamedTensor& tensor : data::read_safetensors(path)) {
    check_finite(tensor.values, concat(path, ": tensor ", tensor.name));
    run.model.push_back(
        {std::move(tensor.name), std::move(tensor.shape), std::move(tensor.values)});
  }
}

/// resolved.toml and result.json are of one run.
void check_same_problem(const std::string& run_directory, const StoredResult& stored,
                        const Problem& problem) {
  constexpr double kRounding = 1e-9;  // of a relative epsilon, on another number of ranks
  const Result& result = stored.result;
  const std::string cost = problem.cost.name;
  if (result.cost == cost &&
      std::abs(result.epsilon - problem.epsilon) <= kRounding * problem.epsilon) {
    return;
  }
  throw DataError(concat("run ", run_directory, ": its result.json is of cost ", result.cost,
                         " at epsilon ", result.epsilon, ", its resolved.toml says cost ", cost,
                         " at epsilon ", problem.epsilon, kRemedy));
}

}  // namespace

StoredResult read_result(const std::string& run_directory) {
  const std::string path = file_of(run_directory, "result.json");
  auto stored = parse_result(read_text_file(path));
  if (!stored) {
    throw DataError(concat(path, " is damaged (not the result of a run); restore it, or remove it ",
                           "and let kantor run --resume write it anew"));
  }
  return *std::move(stored);
}

void check_result_files(const std::string& run_directory, const StoredResult& stored) {
  for (const auto& [name, checksum] : stored.checksums) {
    const std::string path = file_of(run_directory, name);
    if (std::filesystem::path(name).is_absolute() || name.find("..") != std::string::npos) {
      throw DataError(concat(file_of(run_directory, "result.json"),
                             " names a file out of the run: ", name, kRemedy));
    }
    if (!has_file(path)) throw DataError(concat("result file ", path, " is missing", kRemedy));
    const std::string met = checksum_text(path);
    if (met == checksum) continue;
    throw DataError(concat(path, " is damaged or of another run: its checksum is ", met,
                           ", result.json has ", checksum, kRemedy));
  }
}

LoadedConfiguration load_finished_run(const std::string& run_directory,
                                      const std::string& data_root) {
  const std::string resolved = file_of(run_directory, "resolved.toml");
  if (!has_file(resolved)) {
    throw UsageError(concat(run_directory,
                            has_file(run_directory) ? " is not a run directory" : " does not exist",
                            ": no resolved.toml in it; name the folder that `kantor run` wrote"));
  }
  if (!has_file(file_of(run_directory, "result.json"))) {
    const Status status = parse_status(read_text_file(file_of(run_directory, "STATUS")));
    throw ConfigError(concat("run ", run_directory, " has no result: its state is '", status.state,
                             "'", status.reason.empty() ? "" : " (" + status.reason + ")",
                             "; evaluate a finished run"));
  }
  static_cast<void>(read_result(run_directory));
  return load_run_configuration(resolved, data_root);
}

StoredRun read_stored_run(const std::string& run_directory,
                          const std::vector<std::string>& fingerprints, const Problem& problem) {
  const std::string change = changed_data(fingerprints, problem);
  if (!change.empty()) {
    throw DataError(concat(change, "; restore the file, name the folder that holds it with ",
                           "--data-root DIR, or solve the problem again"));
  }
  const StoredResult stored = read_result(run_directory);
  check_same_problem(run_directory, stored, problem);
  check_result_files(run_directory, stored);
  StoredRun run;
  for (std::size_t i = 0; i < problem.clouds.size(); ++i) {
    const std::string path = file_of(run_directory, concat("potentials/", i, ".npy"));
    run.potentials.push_back(read_finite(path));
    const auto length = static_cast<std::int64_t>(run.potentials.back().size());
    if (length != problem.n(i)) {
      throw DataError(concat(path, " has ", length, " values, but marginal ", i, " has ",
                             problem.n(i), " points; the run directory is damaged"));
    }
  }
  const std::string points = file_of(run_directory, "points.npy");
  if (has_file(points)) run.points = read_moved_points(points, problem);
  if (has_file(file_of(run_directory, "model.json"))) read_model(run_directory, run);
  return run;
}

std::vector<double> read_self_potential(const std::string& run_directory, std::int64_t marginal) {
  const std::string path = file_of(run_directory, concat("divergence/", marginal, ".npy"));
  if (!has_file(path)) {
    throw UsageError(concat("--debiased needs ", path,
                            ", which this run has not; solve the problem with solver.name = "
                            "\"sinkhorn\" and solver.sinkhorn.divergence = true"));
  }
  return read_finite(path);
}

void check_same_run(const std::string& run_directory, const LoadedConfiguration& loaded) {
  const std::string resolved = file_of(run_directory, "resolved.toml");
  const LoadedConfiguration finished = load_configuration(resolved, {});
  const std::string difference = difference_of(identity_toml(finished), identity_toml(loaded));
  if (!difference.empty()) {
    throw ConfigError(concat("the run in ", run_directory, " has finished with other settings: ",
                             difference, "; choose another --out"));
  }
  Problem problem;
  for (data::Marginal& marginal : open_marginals(loaded.typed.problem, problem.cost)) {
    problem.clouds.push_back({std::move(marginal), {}});
  }
  const std::string change = changed_data(finished.fingerprints, problem);
  if (change.empty()) return;
  throw ConfigError(concat("the run in ", run_directory, " has finished with other data: ", change,
                           "; restore the file, or choose another --out"));
}

}  // namespace kantor::launch
