#pragma once

#include <nccl.h>

#include <cstddef>
#include <vector>

namespace kantor::fake_gpu {

/// Bytes of the types that are in use; 0 for others.
std::size_t size_of(ncclDataType_t type);

/// result = all ranks' bytes [first, first + bytes), reduced in rank order. As with NCCL, do not
/// count on a NaN in a maximum: this one loses it where it can.
void reduce(const std::vector<std::vector<std::byte>>& all, std::size_t first, std::size_t bytes,
            ncclDataType_t type, ncclRedOp_t op, std::byte* result);

}  // namespace kantor::fake_gpu
