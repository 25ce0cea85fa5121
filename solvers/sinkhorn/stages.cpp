#include "solvers/sinkhorn/stages.hpp"

#include <optional>

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"

namespace kantor::sinkhorn {

namespace {

using checkpoint::Snapshot;

std::string loop_step_of(const std::string& name) { return concat("stage.", name, ".loop_step"); }
std::string name_of(const std::string& stage, const char* what) {
  return concat("stage.", stage, ".", what);
}

void add_vector(Snapshot& state, const std::string& name, const std::vector<double>& values) {
  state.tensors.push_back(
      checkpoint::make_tensor(name, {std::ssize(values)}, std::span<const double>(values)));
}

void add(Snapshot& state, const std::string& name, const Ended& ended) {
  state.metadata.step += ended.report.iterations;
  state.metadata.integers[name_of(name, "iterations")] = ended.report.iterations;
  state.metadata.integers[name_of(name, "converged")] = ended.report.converged ? 1 : 0;
  state.metadata.integers[name_of(name, "fallbacks")] = ended.report.fallbacks;
  state.metadata.integers[name_of(name, "stalled")] = ended.report.is_stalled ? 1 : 0;
  state.metadata.numbers[name_of(name, "marginal_error")] = ended.report.marginal_error;
  add_vector(state, name_of(name, "f"), ended.f);
  add_vector(state, name_of(name, "g"), ended.g);
}

/// @throws DataError.
std::optional<Ended> find(const Snapshot* state, const std::string& name, std::int64_t n,
                          std::int64_t m) {
  if (state == nullptr || state->find(name_of(name, "f")) == nullptr) return std::nullopt;
  const std::int64_t rows[] = {n};
  const std::int64_t columns[] = {m};
  Ended ended;
  ended.report.iterations = state->metadata.integer(name_of(name, "iterations"));
  ended.report.converged = state->metadata.integer(name_of(name, "converged")) != 0;
  ended.report.fallbacks = state->metadata.integer(name_of(name, "fallbacks"));
  ended.report.is_stalled = state->metadata.integer(name_of(name, "stalled")) != 0;
  ended.report.marginal_error = state->metadata.number(name_of(name, "marginal_error"));
  ended.f = state->values<double>(name_of(name, "f"), rows);
  ended.g = state->values<double>(name_of(name, "g"), columns);
  return ended;
}

}  // namespace

Ended Stages::solve(const std::string& name, std::int64_t n, std::int64_t m, Communicator& world,
                    const std::function<Ended(Checkpoints&)>& solve) {
  std::optional<Ended> found;
  collectively(world, "restoring the solves", [&] { found = find(keep_.restored(), name, n, m); });
  if (!found) {
    if (!done_.tensors.empty()) name_ = name;
    try {
      found = solve(*this);
    } catch (const Stopped& stopped) {
      throw Stopped(done_.metadata.step + stopped.step);
    }
  }
  add(done_, name, *found);
  return *std::move(found);
}

const Snapshot* Stages::restored() const {
  const Snapshot* state = keep_.restored();
  if (name_.empty() || state == nullptr) return state;
  const auto step = state->metadata.integers.find(loop_step_of(name_));
  if (step == state->metadata.integers.end()) return nullptr;
  inner_ = *state;
  inner_.metadata.step = step->second;
  return &inner_;
}

bool Stages::due(std::int64_t step) { return keep_.due(done_.metadata.step + step); }

void Stages::save(Snapshot state) {
  if (!name_.empty()) state.metadata.integers[loop_step_of(name_)] = state.metadata.step;
  state.metadata.step += done_.metadata.step;
  state.metadata.integers.insert(done_.metadata.integers.begin(), done_.metadata.integers.end());
  state.metadata.numbers.insert(done_.metadata.numbers.begin(), done_.metadata.numbers.end());
  state.tensors.insert(state.tensors.end(), done_.tensors.begin(), done_.tensors.end());
  keep_.save(std::move(state));
}

}  // namespace kantor::sinkhorn
