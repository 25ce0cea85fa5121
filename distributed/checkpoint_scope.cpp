#include "distributed/checkpoint_scope.hpp"

#include <utility>

namespace kantor {

using checkpoint::Snapshot;

namespace {

void add(const Snapshot& kept, Snapshot& state) {
  state.metadata.numbers.insert(kept.metadata.numbers.begin(), kept.metadata.numbers.end());
  state.metadata.integers.insert(kept.metadata.integers.begin(), kept.metadata.integers.end());
  state.metadata.environment.insert(kept.metadata.environment.begin(),
                                    kept.metadata.environment.end());
  state.tensors.insert(state.tensors.end(), kept.tensors.begin(), kept.tensors.end());
}

}  // namespace

CheckpointScope::CheckpointScope(Checkpoints& run, Snapshot (*translate)(Snapshot))
    : run_(&run), restored_(run.restored()) {
  if (restored_ == nullptr || translate == nullptr) return;
  translated_ = translate(*restored_);
  restored_ = &translated_;
}

CheckpointScope::CheckpointScope(CheckpointScope& parent, const std::string& name,
                                 std::int64_t first_step)
    : run_(parent.run_),
      parent_(&parent),
      prefix_(parent.prefix_ + name + "/"),
      first_step_(first_step) {}

std::int64_t CheckpointScope::step_of_run(std::int64_t step) const {
  return parent_ == nullptr ? step : parent_->step_of_run(first_step_ + step);
}

bool CheckpointScope::holds(const Describe& describe) const {
  if (restored() == nullptr) return false;
  std::int64_t num_found = 0;
  describe(StateFields::counting(*restored(), num_found).within(prefix_));
  return num_found > 0;
}

void CheckpointScope::read(const Describe& describe) const {
  describe(StateFields::from(*restored()).within(prefix_));
}

std::int64_t CheckpointScope::leave_restored() {
  const checkpoint::Metadata& metadata = restored()->metadata;
  const std::int64_t step = parent_ == nullptr ? metadata.step : metadata.integer(prefix_ + "step");
  root().restored_ = nullptr;
  root().translated_ = {};
  return step;
}

void CheckpointScope::write(std::int64_t step, const Describe& describe,
                            std::int64_t samples_seen) const {
  if (run_ == nullptr) return;
  Snapshot state;
  state.metadata.step = step_of_run(step);
  state.metadata.samples_seen = samples_seen;
  if (parent_ != nullptr) state.metadata.integers[prefix_ + "step"] = step;
  describe(StateFields::to(state).within(prefix_));
  for (const CheckpointScope* scope = this; scope != nullptr; scope = scope->parent_) {
    for (const auto& [name, kept] : scope->kept_) add(kept, state);
  }
  run_->save(std::move(state));
}

void CheckpointScope::keep(const std::string& name, const Describe& describe) {
  forget(name);
  describe(StateFields::to(kept_.emplace_back(name, Snapshot{}).second).within(prefix_));
}

void CheckpointScope::forget(const std::string& name) {
  std::erase_if(kept_, [&](const auto& each) { return each.first == name; });
}

}  // namespace kantor
