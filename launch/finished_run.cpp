#include "launch/finished_run.hpp"

#include "launch/identity.hpp"
#include "launch/json_files.hpp"
#include "launch/output_directory.hpp"
#include "runtime/core/error.hpp"
#include "solvers/problem/open_marginals.hpp"
#include "solvers/problem/stored_problem.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::launch {

LoadedConfiguration load_finished_run(const std::string& run_directory,
                                      const std::string& data_root) {
  const std::string resolved = file_of(run_directory, run_files::kResolved);
  if (!has_file(resolved)) {
    throw UsageError(concat(run_directory,
                            has_file(run_directory) ? " is not a run directory" : " does not exist",
                            ": no resolved.toml in it; name the folder that `kantor run` wrote"));
  }
  if (!has_file(file_of(run_directory, run_files::kResult))) {
    const Status status = parse_status(read_text_file(file_of(run_directory, "STATUS")));
    throw ConfigError(concat("run ", run_directory, " has no result: its state is '", status.state,
                             "'", status.reason.empty() ? "" : " (" + status.reason + ")",
                             "; evaluate a finished run"));
  }
  return load_run_configuration(resolved, data_root);
}

void check_run_of(const std::string& run_directory, const Record& result,
                  const std::vector<std::string>& fingerprints, const Problem& problem) {
  const std::string change = changed_data(fingerprints, problem);
  if (!change.empty()) {
    throw DataError(concat(change, "; restore the file, name the folder that holds it with ",
                           "--data-root DIR, or solve the problem again"));
  }
  const std::string cost = problem.cost.name;
  const auto its_cost = result.get<std::string>("cost");
  if (its_cost == cost && has_epsilon_of(result, problem)) return;
  throw DataError(concat("run ", run_directory, ": its result.json is of cost ", its_cost,
                         " at epsilon ", result.number("epsilon"), ", its resolved.toml says cost ",
                         cost, " at epsilon ", problem.epsilon,
                         "; restore it, or solve the problem again in another --out"));
}

void check_same_run(const std::string& run_directory, const LoadedConfiguration& loaded) {
  const std::string resolved = file_of(run_directory, run_files::kResolved);
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
