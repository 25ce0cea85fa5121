#pragma once

// What comes before the first NCCL communicator: a GPU of its own for each rank, libraries that
// fit, one unique id.

#include <nccl.h>

#include "distributed/nccl/nccl.hpp"

namespace kantor::nccl {

/// Picks this rank's GPU among the visible ones by its number on the host, makes it current, and
/// compares notes with all ranks. Collective.
/// @return its number. @throws ConfigError: no GPU, two ranks on one, versions that do not fit.
int choose_device(Communicator& host, bool allow_gpu_sharing);

/// NCCL's defaults for this project; what the user has set stays. Before the first NCCL call.
void set_nccl_environment();

/// Made by rank 0, the same on all. Collective.
ncclUniqueId shared_unique_id(Communicator& host);

}  // namespace kantor::nccl
