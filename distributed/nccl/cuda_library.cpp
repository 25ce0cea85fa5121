// The table of libkantor_cuda.so.

#include "distributed/nccl/cuda_library.hpp"

#include "distributed/nccl/nccl_communicator.hpp"
#include "distributed/nccl/page_locked_staging.hpp"

namespace kantor::nccl {
void describe(CudaFacts& facts);  // cuda_facts.cpp
}

extern "C" __attribute__((visibility("default"))) const kantor::CudaLibrary* kantor_cuda_library() {
  static const std::string abi = kantor::cuda_library_abi();
  static const kantor::CudaLibrary table = {
      abi.c_str(),
      [](kantor::Communicator& host, const kantor::NcclOptions& options) -> kantor::Communicator* {
        return new kantor::nccl::NcclCommunicator(host, options);
      },
      &kantor::nccl::describe, &kantor::cuda::soft_min_kernels(),
      [](std::size_t bytes) -> kantor::Staging* {
        return new kantor::nccl::PageLockedStaging(bytes);
      }};
  return &table;
}
