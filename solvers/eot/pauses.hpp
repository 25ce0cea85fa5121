#pragma once

#include <cstdint>

namespace kantor {

/// What all ranks do between the parts of a pass over the pairs that takes long.
class Pauses {
 public:
  virtual ~Pauses() = default;

  /// Pairs of a part at least, on the rank that has most.
  virtual std::int64_t least_pairs() const { return std::int64_t{1} << 24; }
  /// A pass begins. @param num_parts the same on all ranks. Collective. @throws Stopped.
  virtual void begin(std::int64_t num_parts) = 0;
  /// Before each part but the first. Collective. @throws Stopped.
  virtual void pause() = 0;
};

}  // namespace kantor
