#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/core/error.hpp"

namespace kantor {

/// What libkantor_cuda.so meets on this machine, for `kantor doctor`. Versions as the libraries
/// number them: CUDA 13000 is 13.0, NCCL 22809 is 2.28.9; 0 = could not be asked.
struct CudaFacts {
  int cuda_compiled = 0;
  int cuda_runtime = 0;
  int cuda_driver = 0;  ///< newest CUDA that the driver knows; 0 without a driver
  std::string cuda_path;
  int nccl_compiled = 0;
  int nccl = 0;
  std::string nccl_path;

  struct Device {
    std::string name;
    std::string capability;  ///< "9.0"
    std::int64_t memory_bytes = 0;
    std::string uuid = {};  ///< of the GPU, or of its MIG instance: 32 hexadecimal digits
  };
  std::vector<Device> devices;  ///< the visible ones
  std::string problem;          ///< why there are none, or what a call returned
};

/// Loads libkantor_cuda.so, and with it the CUDA runtime and NCCL that its RUNPATH names, or
/// LD_LIBRARY_PATH before it. @throws ConfigError: the library cannot be loaded.
void load_cuda_library();

/// Loads libkantor_cuda.so and asks. No GPU is made current, no memory taken on it.
/// @throws ConfigError: the library cannot be loaded.
CudaFacts describe_cuda();

/// "13.0".
inline std::string cuda_version_text(int code) {
  return concat(code / 1000, ".", code % 1000 / 10);
}
/// "2.28.9".
inline std::string nccl_version_text(int code) {
  return concat(code / 10000, ".", code / 100 % 100, ".", code % 100);
}

}  // namespace kantor
