#include "solvers/progot/solved_steps.hpp"

#include <string>

namespace kantor::progot {

namespace {

using checkpoint::Snapshot;

// Names of what is added to the state of the loop.
constexpr const char* kSolved = "progot.solved";
constexpr const char* kLoopStep = "progot.loop_step";
constexpr const char* kLastF = "progot.f";
constexpr const char* kPlanned = "progot.planned_epsilons";

std::string name_of(std::size_t step, const char* what) {
  return concat("progot.", step, ".", what);
}

void add_vector(Snapshot& state, const std::string& name, const std::vector<double>& values) {
  state.tensors.push_back(
      checkpoint::make_tensor(name, {std::ssize(values)}, std::span<const double>(values)));
}

/// Of this length. @throws DataError.
std::vector<double> vector_of(const Snapshot& state, const std::string& name, std::int64_t size) {
  const std::int64_t shape[] = {size};
  return state.values<double>(name, shape);
}

void add_step(Snapshot& state, std::size_t k, const SolvedStep& step) {
  state.metadata.numbers[name_of(k, "epsilon")] = step.epsilon;
  state.metadata.numbers[name_of(k, "alpha")] = step.alpha;
  state.metadata.integers[name_of(k, "iterations")] = step.iterations;
  state.metadata.integers[name_of(k, "self_iterations")] = step.self_iterations;
  state.metadata.integers[name_of(k, "converged")] = step.converged ? 1 : 0;
  add_vector(state, name_of(k, "g"), step.g);
  if (!step.f_self.empty()) add_vector(state, name_of(k, "f_self"), step.f_self);
}

SolvedStep step_of(const Snapshot& state, std::size_t k, std::int64_t n, std::int64_t m) {
  SolvedStep step;
  step.epsilon = state.metadata.number(name_of(k, "epsilon"));
  step.alpha = state.metadata.number(name_of(k, "alpha"));
  step.iterations = state.metadata.integer(name_of(k, "iterations"));
  step.self_iterations = state.metadata.integer(name_of(k, "self_iterations"));
  step.converged = state.metadata.integer(name_of(k, "converged")) != 0;
  step.g = vector_of(state, name_of(k, "g"), m);
  const std::string self = name_of(k, "f_self");
  if (state.find(self) != nullptr) step.f_self = vector_of(state, self, n);
  return step;
}

}  // namespace

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

SolvedSteps CourseCheckpoints::restored_course(std::int64_t n, std::int64_t m) const {
  SolvedSteps course;
  const Snapshot* state = keep_.restored();
  if (state == nullptr) return course;
  if (const checkpoint::Tensor* planned = state->find(kPlanned)) {
    course.planned_epsilons = state->values<double>(kPlanned, planned->shape);
  }
  const std::int64_t solved = state->metadata.integer(kSolved);
  for (std::int64_t k = 0; k < solved; ++k) {
    course.steps.push_back(step_of(*state, static_cast<std::size_t>(k), n, m));
  }
  return course;
}

void CourseCheckpoints::save_begun() {
  checkpoint::Snapshot state;
  state.metadata.integers[kLoopStep] = 0;
  state.metadata.integers[kSolved] = 0;
  keep_.save(std::move(state));
}

void CourseCheckpoints::save_solved(const std::vector<double>& f) {
  Snapshot state;
  add_vector(state, kLastF, f);
  save(std::move(state));
}

std::vector<double> CourseCheckpoints::restored_f(std::int64_t n) const {
  const Snapshot* state = keep_.restored();
  if (state == nullptr || state->find(kLastF) == nullptr) return {};
  return vector_of(*state, kLastF, n);
}

const Snapshot* CourseCheckpoints::restored() const {
  const Snapshot* state = keep_.restored();
  if (state == nullptr || state->metadata.integer(kSolved) != std::ssize(course_->steps)) {
    return nullptr;
  }
  inner_ = *state;
  inner_.metadata.step = state->metadata.integer(kLoopStep);
  return &inner_;
}

bool CourseCheckpoints::due(std::int64_t step) {
  return keep_.due(course_->all_iterations() + step);
}

void CourseCheckpoints::save(Snapshot state) {
  state.metadata.integers[kLoopStep] = state.metadata.step;
  state.metadata.integers[kSolved] = std::ssize(course_->steps);
  state.metadata.step += course_->all_iterations();
  if (!course_->planned_epsilons.empty()) {
    add_vector(state, kPlanned, course_->planned_epsilons);
  }
  for (std::size_t k = 0; k < course_->steps.size(); ++k) add_step(state, k, course_->steps[k]);
  keep_.save(std::move(state));
}

}  // namespace kantor::progot
