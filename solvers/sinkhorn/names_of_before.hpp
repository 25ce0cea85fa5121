#pragma once

// Goes after the next version: fields of checkpoints that solves in parts wrote by names without
// scopes.

#include "runtime/checkpoint/snapshot.hpp"

namespace kantor::sinkhorn {

/// The same state by the names that it is read by.
checkpoint::Snapshot in_names_of_today(checkpoint::Snapshot state);

}  // namespace kantor::sinkhorn
