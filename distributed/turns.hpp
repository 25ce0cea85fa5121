#pragma once

// Groups of parameters that train in turns. Which step is whose follows from its number alone, so
// nothing of it is saved.

#include <cstddef>
#include <cstdint>
#include <span>

namespace kantor {

/// A group's steps in a row; all turns one after the other, and again, for ever:
/// {{predictor, 2}, {generator, 1}}.
struct Turn {
  std::size_t group = 0;
  std::int64_t repeats = 1;
};

struct StepId {
  std::int64_t step = 0;        ///< of the training, from 0
  std::size_t group = 0;        ///< on turn
  std::int64_t group_step = 0;  ///< of the group, from 0
};

/// How many of the first `steps` are of this group.
std::int64_t steps_of(std::size_t group, std::span<const Turn> turns, std::int64_t steps);

StepId step_id(std::span<const Turn> turns, std::int64_t step);

}  // namespace kantor
