#pragma once

// The communicator's verbs on float32 and float64 tensors, on whatever device they live: a back end
// that takes device memory gets them as they are, the others a copy on the host. The only rank of a
// back end that does not take it keeps what is on a device there, uncounted: the verbs change
// nothing.
// Shapes: P ranks; part [n], all [P n].

#include <ATen/core/Tensor.h>

#include <string_view>

#include "distributed/communicator.hpp"

namespace kantor {

/// In place. @param buffer contiguous.
void all_reduce(Communicator& world, const at::Tensor& buffer, ReduceOp op, std::string_view what);
/// In place. @param buffer contiguous.
void broadcast(Communicator& world, const at::Tensor& buffer, int root, std::string_view what);
/// @param part [n]. @return [P n], rank by rank.
at::Tensor all_gather(Communicator& world, const at::Tensor& part, std::string_view what);
/// @param all [P n]. @return [n], the sum over ranks of this rank's slice.
at::Tensor reduce_scatter(Communicator& world, const at::Tensor& all, std::string_view what);

}  // namespace kantor
