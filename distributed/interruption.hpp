#pragma once

// What lets a long run end early and go on later: requests to stop, and a place for its state.

#include <cstdint>
#include <string>

#include "runtime/checkpoint/snapshot.hpp"
#include "runtime/core/error.hpp"

namespace kantor {

/// Whether someone wants the run to end early. Every rank asks at every step, without a collective;
/// the answers travel with the step's reduction, so all ranks stop at the same one.
class StopSource {
 public:
  virtual ~StopSource() = default;
  virtual bool requested() = 0;
};

/// Where a solver leaves its state and finds it again. This class keeps nothing: for runs and tests
/// that cannot be interrupted.
class Checkpoints {
 public:
  virtual ~Checkpoints() = default;

  /// The state to go on from, the same on all ranks; null at a fresh start.
  virtual const checkpoint::Snapshot* restored() const { return nullptr; }
  /// Whether this rank should save after this step: asked after each one, without a collective.
  virtual bool due(std::int64_t /*step*/) { return false; }
  /// Saves on rank 0, does nothing elsewhere: only replicated state can be in it. The solver fills
  /// in step, samples_seen, numbers, integers, tensors; the rest is added here.
  /// A failure is reported and tried again later. @throws IoError after several in a row.
  virtual void save(checkpoint::Snapshot /*state*/) {}
};

/// All ranks stop here, their state is saved, and `--resume` goes on.
struct Stopped : Error {
  explicit Stopped(std::int64_t step_)
      : Error(ExitCode::resume,
              concat("stopped on request at step ", step_, "; go on with --resume")),
        step(step_) {
    mark_agreed();
  }
  std::int64_t step;
};

}  // namespace kantor
