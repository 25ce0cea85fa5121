#include <cmath>
#include <filesystem>
#include <iostream>
#include <numeric>

#include "distributed/together.hpp"
#include "launch/output_directory.hpp"
#include "launch/verbs.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/safetensors.hpp"
#include "solvers/evaluate.hpp"

// Shapes: K new points, D dimensions.

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;

bool has_file(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

struct Points {
  std::int64_t count = 0;
  std::vector<double> values;  ///< [K, D]
};

Points read_points(const std::string& path, std::int64_t dims) {
  const auto source = data::open_npy(path);
  if (source->num_dims() != dims) {
    throw DataError(concat(path, ": points of dimension ", source->num_dims(),
                           ", but the run's marginals have dimension ", dims));
  }
  Points points;
  points.count = source->num_rows();
  std::vector<std::int64_t> rows(static_cast<std::size_t>(points.count));
  std::iota(rows.begin(), rows.end(), 0);
  points.values.resize(static_cast<std::size_t>(points.count * dims));
  source->read(rows, points.values.data());
  for (std::size_t i = 0; i < points.values.size(); ++i) {
    if (!std::isfinite(points.values[i])) {
      const auto position = static_cast<std::int64_t>(i);
      throw DataError(concat(path, ": ", points.values[i], " at row ", position / dims, ", column ",
                             position % dims, "; points are finite numbers"));
    }
  }
  return points;
}

/// Of a marginal against itself, as a run with divergence leaves it.
std::vector<double> read_self_potential(const fs::path& directory, std::int64_t marginal) {
  const fs::path path = directory / "divergence" / concat(marginal, ".npy");
  if (!has_file(path)) {
    throw UsageError(concat("--debiased needs ", path.string(),
                            ", which this run has not; solve the problem with solver.name = "
                            "\"sinkhorn\" and solver.sinkhorn.divergence = true"));
  }
  return data::read_npy_vector(path.string());
}

StoredRun read_stored_run(const fs::path& directory, const Problem& problem) {
  StoredRun run;
  for (std::size_t i = 0; i < problem.marginals.size(); ++i) {
    const std::string path = (directory / "potentials" / concat(i, ".npy")).string();
    run.potentials.push_back(data::read_npy_vector(path));
    const auto length = static_cast<std::int64_t>(run.potentials.back().size());
    if (length != problem.n(i)) {
      throw DataError(concat(path, " has ", length, " values, but marginal ", i, " has ",
                             problem.n(i), " points; the run directory is damaged"));
    }
  }
  if (has_file(directory / "points.npy")) {
    run.points = read_points((directory / "points.npy").string(), problem.d()).values;
  }
  if (!has_file(directory / "model.json")) return run;
  run.model_json = read_text_file(directory / "model.json");
  for (data::NamedTensor& tensor :
       data::read_safetensors((directory / "model.safetensors").string())) {
    run.model.push_back(
        {std::move(tensor.name), std::move(tensor.shape), std::move(tensor.values)});
  }
  return run;
}

void write_evaluation(const std::string& out, const Evaluation& evaluation, std::int64_t dims) {
  create_output_directory(out);
  const auto count = static_cast<std::int64_t>(evaluation.potential.size());
  data::write_npy(out + "/potential.npy", evaluation.potential, std::vector{count});
  if (!evaluation.map.empty()) {
    data::write_npy(out + "/map.npy", evaluation.map, std::vector{count, dims});
  }
}

}  // namespace

LoadedConfiguration load_finished_run(const std::string& run_directory) {
  const fs::path directory(run_directory);
  if (!has_file(directory / "resolved.toml")) {
    throw UsageError(concat(run_directory,
                            has_file(directory) ? " is not a run directory" : " does not exist",
                            ": no resolved.toml in it; name the folder that `kantor run` wrote"));
  }
  if (!has_file(directory / "result.json")) {
    const Status status = parse_status(read_text_file(directory / "STATUS"));
    throw ConfigError(concat("run ", run_directory, " has no result: its state is '", status.state,
                             "'", status.reason.empty() ? "" : " (" + status.reason + ")",
                             "; evaluate a finished run"));
  }
  LoadedConfiguration loaded = load_configuration((directory / "resolved.toml").string(), {});
  // How eval is started says which ranks there are, not how the run was.
  loaded.typed.run.backend = "auto";
  loaded.typed.run.ranks = 0;
  return loaded;
}

int eval(const EvalArguments& arguments, const LoadedConfiguration& loaded, Session& session) {
  Context context = session.context();
  if (loaded.typed.problem.cost == "matrix") {
    fail_alike(session.world,
               UsageError("eval needs a cost between points; the run's problem.cost = \"matrix\" "
                          "says nothing of new ones"));
  }
  if (arguments.debiased && loaded.typed.solver == "progot") {
    fail_alike(
        session.world,
        UsageError(concat("--debiased is not for a run of progot, whose maps are debiased if "
                          "it was solved so: this one has solver.progot.debiased = ",
                          loaded.typed.progot.debiased
                              ? "true; leave the flag out"
                              : "false; leave the flag out, or solve it with true")));
  }
  together(session.world, "checking the output directory", [&] {
    if (session.is_first()) check_output_directory(arguments.out);
  });
  const Problem problem = load_problem(loaded.typed.problem, context);
  StoredRun stored;
  Points points;
  together(session.world, "reading the run", [&] {
    check_fingerprints(loaded.fingerprints, problem);
    stored = read_stored_run(arguments.run_directory, problem);
    if (arguments.debiased) {
      stored.self_potential = read_self_potential(arguments.run_directory, arguments.marginal);
    }
    points = read_points(arguments.points, problem.d());
  });

  const Evaluation evaluation =
      evaluate_at(problem, stored, static_cast<int>(arguments.marginal), points.values, context);

  together(session.world, "writing the evaluation", [&] {
    if (session.is_first()) write_evaluation(arguments.out, evaluation, problem.d());
  });
  if (session.is_first()) {
    std::cout << "potential of marginal " << arguments.marginal << " at " << points.count
              << " points: " << arguments.out << "/potential.npy\n";
    if (evaluation.map.empty()) {
      std::cout << "no map.npy: cost " << loaded.typed.problem.cost << " has no entropic map\n";
    } else {
      std::cout << "entropic map to marginal " << 1 - arguments.marginal << ": " << arguments.out
                << "/map.npy\n";
    }
    std::cout << std::flush;
  }
  return 0;
}

}  // namespace kantor::launch
