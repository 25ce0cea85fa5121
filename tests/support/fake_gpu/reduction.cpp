#include "tests/support/fake_gpu/reduction.hpp"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <stdexcept>

namespace kantor::fake_gpu {
namespace {

template <class T>
void reduce_as(const std::vector<std::vector<std::byte>>& all, std::size_t first, std::size_t bytes,
               ncclRedOp_t op, std::byte* result) {
  for (std::size_t at = 0; at < bytes; at += sizeof(T)) {
    T sum{};
    for (std::size_t rank = 0; rank < all.size(); ++rank) {
      T term{};
      std::memcpy(&term, all[rank].data() + first + at, sizeof term);
      if (rank == 0) {
        sum = term;
      } else if (op == ncclSum) {
        sum = static_cast<T>(sum + term);
      } else if constexpr (std::is_floating_point_v<T>) {
        sum = std::fmax(sum, term);
      } else {
        sum = sum < term ? term : sum;
      }
    }
    std::memcpy(result + at, &sum, sizeof sum);
  }
}

}  // namespace

std::size_t size_of(ncclDataType_t type) {
  switch (type) {
    case ncclUint8:
      return 1;
    case ncclInt32:
    case ncclFloat32:
      return 4;
    case ncclInt64:
    case ncclFloat64:
      return 8;
    default:
      return 0;
  }
}

void reduce(const std::vector<std::vector<std::byte>>& all, std::size_t first, std::size_t bytes,
            ncclDataType_t type, ncclRedOp_t op, std::byte* result) {
  if (op != ncclSum && op != ncclMax) throw std::runtime_error("a reduction that is not in use");
  switch (type) {
    case ncclFloat32:
      return reduce_as<float>(all, first, bytes, op, result);
    case ncclFloat64:
      return reduce_as<double>(all, first, bytes, op, result);
    case ncclInt32:
      return reduce_as<std::int32_t>(all, first, bytes, op, result);
    case ncclInt64:
      return reduce_as<std::int64_t>(all, first, bytes, op, result);
    default:
      throw std::runtime_error("a type that is not in use");
  }
}

}  // namespace kantor::fake_gpu
