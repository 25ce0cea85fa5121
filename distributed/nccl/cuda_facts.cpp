// In libkantor_cuda.so: looks and touches nothing.

#include "distributed/nccl/cuda_facts.hpp"

#include "distributed/nccl/device_calls.hpp"

namespace kantor::nccl {
namespace {

std::string hexadecimal(const cudaUUID_t& uuid) {
  std::string text;
  for (const char byte : uuid.bytes) {
    constexpr const char* kDigits = "0123456789abcdef";
    const auto value = static_cast<unsigned char>(byte);
    text += {kDigits[value / 16], kDigits[value % 16]};
  }
  return text;
}

CudaFacts::Device device_facts(int device) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return {.name = properties.name,
          .capability = concat(properties.major, ".", properties.minor),
          .memory_bytes = static_cast<std::int64_t>(properties.totalGlobalMem),
          .uuid = hexadecimal(properties.uuid)};
}

}  // namespace

void describe(CudaFacts& facts) {
  facts.cuda_compiled = CUDART_VERSION;
  facts.cuda_path = path_of(reinterpret_cast<const void*>(&cudaRuntimeGetVersion));
  facts.nccl_compiled = NCCL_VERSION_CODE;
  facts.nccl_path = path_of(reinterpret_cast<const void*>(&ncclGetVersion));
  try {
    check(cudaRuntimeGetVersion(&facts.cuda_runtime), "cudaRuntimeGetVersion");
    check(ncclGetVersion(&facts.nccl), "ncclGetVersion", nullptr);
    check(cudaDriverGetVersion(&facts.cuda_driver), "cudaDriverGetVersion");
    int count = 0;
    check(cudaGetDeviceCount(&count), "cudaGetDeviceCount");
    for (int device = 0; device < count; ++device) facts.devices.push_back(device_facts(device));
  } catch (const DeviceFault& fault) {
    facts.problem = fault.what();
  }
}

}  // namespace kantor::nccl
