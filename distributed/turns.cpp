#include "distributed/turns.hpp"

#include <algorithm>

namespace kantor {

namespace {

std::int64_t length_of(std::span<const Turn> turns) {
  std::int64_t length = 0;
  for (const Turn& turn : turns) length += turn.repeats;
  return length;
}

}  // namespace

std::int64_t steps_of(std::size_t group, std::span<const Turn> turns, std::int64_t steps) {
  const std::int64_t length = length_of(turns);
  std::int64_t in_a_round = 0;
  std::int64_t in_the_last = 0;
  std::int64_t left = steps % length;
  for (const Turn& turn : turns) {
    const std::int64_t part = std::min(left, turn.repeats);
    left -= part;
    if (turn.group != group) continue;
    in_a_round += turn.repeats;
    in_the_last += part;
  }
  return steps / length * in_a_round + in_the_last;
}

StepId step_id(std::span<const Turn> turns, std::int64_t step) {
  std::int64_t place = step % length_of(turns);
  std::size_t k = 0;
  while (place >= turns[k].repeats) place -= turns[k++].repeats;
  return {step, turns[k].group, steps_of(turns[k].group, turns, step)};
}

}  // namespace kantor
