#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/fingerprint.hpp"
#include "solvers/problem/stored_problem.hpp"
#include "solvers/sinkhorn/warm_start.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::sinkhorn {

namespace {

void check_marginals(const std::string& start, const std::vector<std::string>& stored,
                     const Problem& problem) {
  const auto changed = changed_marginal(stored, problem);
  if (!changed) return;
  const std::size_t i = *changed;
  const data::Marginal& marginal = problem.clouds[i].marginal;
  throw ConfigError(concat(
      "solver.sinkhorn.warm_start: the run ", start, " had other data or weights in marginal ", i,
      " (fingerprint ", i < stored.size() ? stored[i] : "none", ", that of ", marginal.name(),
      " is ", data::hash_text(marginal.fingerprint()), "); name a run on the same marginals"));
}

/// What differs between the problem that was solved and this one.
std::string difference(const std::string& start, const Record& solved, const Problem& problem) {
  const bool is_same_epsilon = has_epsilon_of(solved, problem);
  const std::string cost = problem.cost.name;
  const std::string its_cost = solved.get<std::string>("cost");
  if (is_same_epsilon && its_cost == cost) return "";
  return concat(
      "solver.sinkhorn.warm_start: the run ", start, " was at ",
      is_same_epsilon ? "cost " + its_cost : "epsilon " + format_number(solved.number("epsilon")),
      ", this one is at ", is_same_epsilon ? cost : format_number(problem.epsilon),
      "; it is a start all the same");
}

}  // namespace

std::string check_start(const SinkhornConfig& config, const Problem& problem) {
  if (!config.starts_from_run()) return "";
  const std::string& start = config.warm_start;
  read_start(start, problem.n(1));
  const std::string resolved = file_of(start, run_files::kResolved);
  if (!has_file(resolved)) {
    return concat("solver.sinkhorn.warm_start: there is no ", resolved,
                  " to compare the marginals of that run with");
  }
  config::Value settings = config::parse_toml_file(resolved);
  check_marginals(start, take_record(settings).fingerprints, problem);
  if (!has_file(file_of(start, run_files::kResult))) return "";
  const Record solved = read_result(start);
  check_result_files(start, solved);
  if (solved.get<std::string>("solver") == "progot") {
    throw ConfigError(concat("solver.sinkhorn.warm_start: the run ", start,
                             " is of progot, whose potentials belong to its moved cloud; name one "
                             "of sinkhorn or neural"));
  }
  return difference(start, solved, problem);
}

}  // namespace kantor::sinkhorn
