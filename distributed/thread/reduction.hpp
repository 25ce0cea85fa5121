#pragma once

// Sums and maxima over the buffers of all ranks, in rank order. Shapes: P ranks.

#include <algorithm>
#include <cstdint>

#include "distributed/communicator.hpp"
#include "distributed/larger.hpp"

namespace kantor::thread {

/// Elements that are reduced over all ranks before the next ones: what stays in the first cache.
inline constexpr std::int64_t kBlock = 1024;

/// The elements [first, last) that one rank reduces for all.
struct Slice {
  std::int64_t first;
  std::int64_t last;
};

/// Equal slices of whole cache lines, so that two ranks do not write to the same one.
inline Slice slice_of(std::int64_t count, std::int64_t width, int rank, int num_ranks) {
  const std::int64_t line = std::max<std::int64_t>(1, 64 / width);
  const std::int64_t lines = (count + line - 1) / line;
  const std::int64_t length = (lines + num_ranks - 1) / num_ranks * line;
  const std::int64_t first = std::min(count, length * rank);
  return {first, std::min(count, first + length)};
}

/// result[i] = in(0)[first + i] op in(1)[first + i] op .. in(P - 1)[first + i], 0 <= i < length.
template <class T, class Inputs>
void reduce_as(T* result, const Inputs& in, int num_ranks, std::int64_t first, std::int64_t length,
               ReduceOp op) {
  std::copy_n(static_cast<const T*>(in(0)) + first, length, result);
  for (int rank = 1; rank < num_ranks; ++rank) {
    const T* term = static_cast<const T*>(in(rank)) + first;
    if (op == ReduceOp::sum) {
      for (std::int64_t i = 0; i < length; ++i) result[i] += term[i];
    } else {
      for (std::int64_t i = 0; i < length; ++i) result[i] = larger(result[i], term[i]);
    }
  }
}

/// @param in rank -> its buffer, const void*. The type is one that can be reduced.
template <class Inputs>
void reduce(void* result, const Inputs& in, int num_ranks, std::int64_t first, std::int64_t length,
            ElementType type, ReduceOp op) {
  const auto as = [&](auto zero) {
    using T = decltype(zero);
    reduce_as(static_cast<T*>(result), in, num_ranks, first, length, op);
  };
  if (type == ElementType::float32) return as(float{});
  if (type == ElementType::float64) return as(double{});
  if (type == ElementType::int32) return as(std::int32_t{});
  as(std::int64_t{});  // bytes were refused by the typed front
}

}  // namespace kantor::thread
