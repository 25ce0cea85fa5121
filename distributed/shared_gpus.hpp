#pragma once

#include <string>

#include "distributed/communicator.hpp"

namespace kantor {

/// Which of the visible GPUs is this rank's: those of a host take them in turn.
inline int gpu_number(const Communicator& world, int num_visible) {
  return world.local_rank() % num_visible;
}

/// Two ranks whose GPU is the same one, in words; "" where each has one of its own, or it cannot be
/// told. Launchers that show each rank its own GPU are seen through: it goes by UUIDs. Collective.
std::string shared_gpus(Communicator& world);

}  // namespace kantor
