#include "launch/warm_start.hpp"

#include <cmath>
#include <filesystem>

#include "launch/configuration.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/fingerprint.hpp"
#include "solvers/sinkhorn/warm_start.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::launch {
namespace {

void check_marginals(const std::string& start, const std::vector<std::string>& stored,
                     const Problem& problem) {
  for (std::size_t i = 0; i < problem.clouds.size(); ++i) {
    const std::string mine = data::hash_text(problem.clouds[i].marginal.fingerprint());
    if (i < stored.size() && stored[i] == mine) continue;
    throw ConfigError(concat(
        "solver.sinkhorn.warm_start: the run ", start, " had other data or weights in marginal ", i,
        " (fingerprint ", i < stored.size() ? stored[i] : "none", ", that of ",
        problem.clouds[i].marginal.name(), " is ", mine, "); name a run on the same marginals"));
  }
}

/// What differs between the problem that was solved and this one.
std::string difference(const std::string& start, const Record& solved, const Problem& problem) {
  constexpr double kRounding = 1e-9;  // of a relative epsilon, on another number of ranks
  const double epsilon = solved.number("epsilon");
  const bool is_same_epsilon = std::abs(epsilon - problem.epsilon) <= kRounding * problem.epsilon;
  const std::string cost = problem.cost.name;
  const std::string its_cost = solved.get<std::string>("cost");
  if (is_same_epsilon && its_cost == cost) return "";
  return concat("solver.sinkhorn.warm_start: the run ", start, " was at ",
                is_same_epsilon ? "cost " + its_cost : "epsilon " + format_number(epsilon),
                ", this one is at ", is_same_epsilon ? cost : format_number(problem.epsilon),
                "; it is a start all the same");
}

}  // namespace

std::string check_warm_start(const Configuration& configuration, const Problem& problem) {
  const sinkhorn::SinkhornConfig& config = configuration.tables.get<sinkhorn::SinkhornConfig>();
  if (configuration.solver != "sinkhorn" || !config.starts_from_run()) return "";
  const std::string& start = config.warm_start;
  sinkhorn::read_start(start, problem.n(1));
  std::error_code ignored;
  const std::string resolved = start + "/resolved.toml";
  if (!std::filesystem::exists(resolved, ignored)) {
    return concat("solver.sinkhorn.warm_start: there is no ", resolved,
                  " to compare the marginals of that run with");
  }
  check_marginals(start, read_fingerprints(resolved), problem);
  if (!std::filesystem::exists(start + "/" + run_files::kResult, ignored)) return "";
  const Record solved = read_result(start);
  check_result_files(start, solved);
  if (solved.get<std::string>("solver") == "progot") {
    throw ConfigError(concat("solver.sinkhorn.warm_start: the run ", start,
                             " is of progot, whose potentials belong to its moved cloud; name one "
                             "of sinkhorn or neural"));
  }
  return difference(start, solved, problem);
}

}  // namespace kantor::launch
