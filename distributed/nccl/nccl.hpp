#pragma once

#include <functional>
#include <memory>

#include "distributed/communicator.hpp"

namespace kantor {

struct NcclOptions {
  double timeout_s = 60;           ///< deadline of one collective, and of closing
  double init_timeout_s = 300;     ///< deadline of bringing NCCL up, and of its first collective
  bool allow_gpu_sharing = false;  ///< several ranks on one GPU; NCCL refuses them before 2.30.3
  /// The caller's current cudaStream_t, asked for at each call that has a buffer in device memory.
  /// Without it such buffers must be ready when a call begins, and are done after synchronize().
  std::function<void*()> stream = {};
};

/// NCCL between GPUs, one for each rank; `host` (which must outlive it) does barriers, agreements
/// and the bring-up. Buffers may lie in host memory, and are then copied through the GPU, or in the
/// memory of this rank's GPU, where a verb returns before it is done (synchronize()). finish()
/// closes it on the good path; otherwise the destructor lets go without waiting for anything. Loads
/// libkantor_cuda.so from beside the program (or as the dynamic linker finds it). Collective; all
/// ranks fail alike. @throws ConfigError (no GPU, no library, ranks that do not fit), CommError
/// (NCCL does not come up), PeerError.
std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host,
                                                     const NcclOptions& options);

}  // namespace kantor
