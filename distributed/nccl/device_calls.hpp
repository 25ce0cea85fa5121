#pragma once

// Shared by the files of libkantor_cuda.so: return codes of CUDA and NCCL, and waiting by polling.

#include <cuda_runtime_api.h>
#include <nccl.h>

#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>

#include "distributed/communicator.hpp"
#include "runtime/core/error.hpp"

namespace kantor::nccl {

/// A call of the CUDA runtime or of NCCL did not do its work. Whoever knows what the call was for
/// turns it into an Error.
struct DeviceFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// It was not done at the deadline.
struct Overdue : DeviceFault {
  using DeviceFault::DeviceFault;
};

/// NCCL reports that something failed since, here or on a peer: not of the call that asked.
struct AsyncFault : DeviceFault {
  using DeviceFault::DeviceFault;
};

/// Whether it is cudaSuccess. The runtime remembers any other code until it is asked, and LibTorch,
/// which asks after its own calls, would take it for theirs: so it is forgotten here.
bool went_well(cudaError_t code);
/// @throws DeviceFault unless it is cudaSuccess.
void check(cudaError_t code, const char* function);
/// @param comm may be null.
std::string reason_of(ncclResult_t code, const char* function, ncclComm_t comm);
/// @throws DeviceFault unless it is ncclSuccess.
void check(ncclResult_t code, const char* function, ncclComm_t comm);
/// A success that leaves its result unset is none either. @throws DeviceFault if it is null.
void check_set(const void* result, const char* function);

/// Runs `body` and gives its DeviceFault the type that decides the exit code.
template <class Failure, class Body>
void as(std::string_view attempt, Body&& body) {
  try {
    body();
  } catch (const DeviceFault& fault) {
    throw Failure(concat(attempt, ": ", fault.what()));
  }
}

/// The file of the library that a function came from; "?" if the dynamic linker does not know.
std::string path_of(const void* function);

/// Whether the stream has come to the event. Never waits. @throws DeviceFault.
bool is_reached(cudaEvent_t event);

using IsDone = std::function<bool()>;

/// Polls until it is done. @throws Overdue past the deadline, and whatever is_done throws.
void poll(const IsDone& is_done, double timeout_s);

/// The same on all ranks at once: nobody leaves before all are done, and all leave soon after one
/// has failed. Collective. @throws CommError on the lowest rank that failed, PeerError on others.
void poll_together(Communicator& host, std::string_view what, const IsDone& is_done,
                   double timeout_s);

}  // namespace kantor::nccl
