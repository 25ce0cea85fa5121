#include "solvers/progot/solved_steps.hpp"

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"

namespace kantor::progot {

void SolvedStep::describe(const StateFields& fields) {
  fields.add("epsilon", epsilon);
  fields.add("alpha", alpha);
  fields.add("iterations", iterations);
  fields.add("self_iterations", self_iterations);
  fields.add("converged", converged);
  fields.add("g", g);
  if (!f_self.empty()) fields.add("f_self", f_self);
}

std::int64_t SolvedSteps::iterations() const {
  std::int64_t sum = 0;
  for (const SolvedStep& step : steps) sum += step.iterations;
  return sum;
}

std::int64_t SolvedSteps::all_iterations() const {
  std::int64_t sum = iterations();
  for (const SolvedStep& step : steps) sum += step.self_iterations;
  return sum;
}

std::string name_of_step(std::size_t k) { return concat("progot.", k); }

SolvedSteps restored_steps(CheckpointScope& run, const ProgotConfig& config, std::int64_t n,
                           std::int64_t m) {
  SolvedSteps course;
  std::vector<double> planned(index(config.steps));
  if (run.found("progot.planned_epsilons", planned)) course.planned_epsilons = planned;
  for (;;) {
    SolvedStep step{.g = std::vector<double>(index(m)),
                    .f_self = std::vector<double>(config.debiased ? index(n) : 0)};
    if (!run.found(name_of_step(course.steps.size()), step)) return course;
    course.steps.push_back(std::move(step));
  }
}

}  // namespace kantor::progot
