#pragma once

// Runs kernel bodies (runtime/kernels/cuda) on the host. The threads of a block are fibers of one
// thread: each runs up to its next barrier or shuffle, then the next one does. What lies between
// two barriers therefore happens thread after thread, in an order that the test chooses: a body
// that lacks a barrier reads what was not written yet in one of the orders. Shared memory begins
// as NaN and has red zones; a barrier that not all threads reach ends in an error.

#include <cstddef>
#include <functional>

#include "runtime/kernels/cuda/soft_min_launches.hpp"

namespace kantor::test {

/// In which order the blocks, and the threads of a block between two barriers, take their turns.
enum class Order { forward, backward, scattered };

/// Runs blocks of gpu::kBlockThreads threads. @throws std::logic_error: threads that wait for ever,
/// or writes beyond the shared memory.
void emulate(cuda::Grid grid, std::size_t shared_bytes, Order order,
             const std::function<void(void* shared)>& body);

/// For SoftMinLaunches.
class EmulatedLauncher {
 public:
  explicit EmulatedLauncher(Order order) : order_(order) {}

  template <class Body>
  void launch(cuda::Grid grid, std::size_t shared_bytes,
              const typename Body::Arguments& arguments) {
    ++num_launches_;
    emulate(grid, shared_bytes, order_, [&](void* shared) { Body::run(arguments, shared); });
  }
  int num_launches() const { return num_launches_; }

 private:
  Order order_;
  int num_launches_ = 0;
};

/// The kernels as the CUDA library offers them, on host memory (threads in forward order).
const cuda::SoftMinKernels& emulated_kernels();

}  // namespace kantor::test
