#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "runtime/checkpoint/snapshot.hpp"

namespace kantor {

/// A float32 or float64 tensor as it goes into a checkpoint, copied to the host.
checkpoint::Tensor to_snapshot(std::string name, const at::Tensor& tensor);

/// Fills `target` with the same bits. @throws DataError if type or shape differ.
void from_snapshot(const checkpoint::Snapshot& state, const std::string& name, at::Tensor target);

}  // namespace kantor
