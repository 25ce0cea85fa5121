#pragma once

#include <cuda_runtime_api.h>

#include <deque>
#include <functional>

namespace kantor::fake_gpu {

/// Work in order. Nothing runs by itself: polling calls do what can be done, on their thread.
struct Stream {
  std::deque<std::function<bool()>> work;  ///< each says whether it is through
  int num_enqueued = 0;
  void put(std::function<bool()> one);
};

/// The one behind a handle (null is the default stream), or null if there is none.
Stream* stream_of(cudaStream_t handle);
/// Does what can be done on all streams.
void progress();
/// -1 until a device was chosen.
int current_device();

}  // namespace kantor::fake_gpu
