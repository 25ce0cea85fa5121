#pragma once

#include <string>

#include "distributed/flat_parameters.hpp"
#include "distributed/state_fields.hpp"
#include "distributed/turns.hpp"

namespace kantor {

/// Phase of the profile: exchange between the ranks, that of an objective included.
inline constexpr const char* kCommunication = "communication";

/// What is minimised: this rank's part of a loss over the global batch. It knows nothing of
/// optimisers, and the trainer nothing of optimal transport.
class Objective {
 public:
  virtual ~Objective() = default;
  /// Forward, exchange, backward: adds this rank's part of the gradient of the global loss to the
  /// gradients of the group on turn, and of no other. Collective if the ranks share a batch.
  virtual LocalLoss evaluate(const StepId& id) = 0;
  /// After each update, alike on all ranks: projections, replicated state. Of a step that was
  /// skipped too, whose parameters are as they were.
  virtual void updated(const StepId& /*id*/) {}
  /// Replicated state of its own besides the parameters, for checkpoints. Local.
  virtual void describe(const StateFields& /*fields*/) {}
  /// What to try where this group meets NaN, by the keys of the table that trains it: "lower ..".
  virtual std::string remedy(std::size_t group) const = 0;
};

}  // namespace kantor
