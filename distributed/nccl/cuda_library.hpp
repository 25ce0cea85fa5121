#pragma once

// Between the program and libkantor_cuda.so, the part of kantor that needs the CUDA runtime and
// NCCL. It is loaded when a run first asks for it (or the doctor), so that other runs stay small.

#include <string>

#include "distributed/nccl/cuda_facts.hpp"
#include "distributed/nccl/nccl.hpp"
#include "distributed/nccl/staging.hpp"
#include "runtime/core/error.hpp"
#include "runtime/kernels/cuda/device_soft_min.hpp"

namespace kantor {

/// What the library offers; it stays loaded, and so does this table.
struct CudaLibrary {
  const char* abi;  ///< cuda_library_abi() as the library was built
  Communicator* (*make_nccl)(Communicator& host, const NcclOptions& options);  ///< for the caller
  void (*describe)(CudaFacts& facts);
  const cuda::SoftMinKernels* soft_min;
  Staging* (*make_staging)(std::size_t bytes);  ///< for the caller
};

/// Both sides must be of one build: C++ objects pass between them. KANTOR_CUDA_ABI is the hash of
/// the headers that declare those (CMakeLists.txt).
inline std::string cuda_library_abi() {
  return concat("interface ", KANTOR_CUDA_ABI, ", compiler ", __VERSION__);
}

}  // namespace kantor

/// The library's one symbol.
extern "C" const kantor::CudaLibrary* kantor_cuda_library();
