#pragma once

// Which part of a run a state in its checkpoints belongs to.

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "distributed/interruption.hpp"
#include "distributed/state_fields.hpp"

namespace kantor {

/// A part of a run, with names and steps of its own in the run's checkpoints; parts nest. A
/// checkpoint holds the state of the part at work and what ended parts have found. A state has a
/// `describe(const StateFields&)`, and is replicated; all calls are alike on all ranks.
class CheckpointScope {
 public:
  /// A part of what cannot be interrupted: nothing is kept.
  CheckpointScope() = default;
  /// The run: its names and its steps.
  /// @param translate what the run goes on from, into the names of today; null: they are.
  explicit CheckpointScope(Checkpoints& run,
                           checkpoint::Snapshot (*translate)(checkpoint::Snapshot) = nullptr);
  /// Its fields are NAME/field; its step 0 is a step of the parent's.
  CheckpointScope(CheckpointScope& parent, const std::string& name, std::int64_t first_step);
  CheckpointScope(const CheckpointScope&) = delete;
  CheckpointScope& operator=(const CheckpointScope&) = delete;

  /// Before names of this part's, in metrics: "outer/inner/".
  const std::string& prefix() const { return prefix_; }
  std::int64_t step_of_run(std::int64_t step) const;

  /// Whether the run goes on from within this part, which this state is of.
  template <class State>
  bool is_under_way(State& state) const {
    return holds(described("", state));
  }
  /// From here on the run is beyond where it was stopped: nothing more is found, be it of the same
  /// name. @return the step of this part. Local. @throws DataError.
  template <class State>
  std::int64_t restore(State& state) {
    read(described("", state));
    return leave_restored();
  }
  /// Whether this rank should save after this step.
  bool due(std::int64_t step) { return run_ != nullptr && run_->due(step_of_run(step)); }
  template <class State>
  void save(std::int64_t step, State& state, std::int64_t samples_seen = 0) {
    write(step, described("", state), samples_seen);
  }
  /// What was found so far, while nothing has a state of its own.
  void save_found(std::int64_t step) {
    write(
        step, [](const StateFields&) {}, 0);
  }

  /// Whether the run goes on from after what has this name, which is then read, once: fields of a
  /// state are NAME.field, a number or a vector is NAME. Local. @throws DataError of what is there
  /// in part.
  template <class State>
  bool found(const std::string& name, State& state) {
    const Describe describe = described(name, state);
    if (!holds(describe) || !root().taken_.insert(prefix_ + name).second) return false;
    read(describe);
    keep(name, describe);
    return true;
  }
  /// It is in every later checkpoint of this part and of those in it, in place of what had the name
  /// before.
  template <class State>
  void ended(const std::string& name, State& state) {
    keep(name, described(name, state));
  }
  void forget(const std::string& name);

 private:
  using Describe = std::function<void(const StateFields&)>;
  template <class State>
  static Describe described(const std::string& name, State& state) {
    return [name, &state](const StateFields& fields) {
      if constexpr (requires { state.describe(fields); }) {
        state.describe(name.empty() ? fields : fields.within(name + "."));
      } else {
        fields.add(name, state);
      }
    };
  }
  bool holds(const Describe& describe) const;
  void read(const Describe& describe) const;
  std::int64_t leave_restored();
  void write(std::int64_t step, const Describe& describe, std::int64_t samples_seen) const;
  void keep(const std::string& name, const Describe& describe);

  CheckpointScope& root() { return parent_ == nullptr ? *this : parent_->root(); }
  const checkpoint::Snapshot* restored() const {
    return parent_ == nullptr ? restored_ : parent_->restored();
  }

  Checkpoints* run_ = nullptr;                      ///< null: nothing is kept
  CheckpointScope* parent_ = nullptr;               ///< null: the run
  const checkpoint::Snapshot* restored_ = nullptr;  ///< of the run; null: nothing to go on from
  checkpoint::Snapshot translated_;                 ///< of the run
  std::set<std::string> taken_;                     ///< of the run: what has been found
  std::string prefix_;
  std::int64_t first_step_ = 0;
  std::vector<std::pair<std::string, checkpoint::Snapshot>> kept_;  ///< what was found, by name
};

}  // namespace kantor
