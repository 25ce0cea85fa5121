// On the program's side: finds and loads libkantor_cuda.so.

#include <dlfcn.h>

#include <cstring>
#include <filesystem>

#include "distributed/collectively.hpp"
#include "distributed/nccl/cuda_kernels.hpp"
#include "distributed/nccl/cuda_library.hpp"

namespace kantor {
namespace {

constexpr const char* kName = "libkantor_cuda.so";

std::string last_dl_error() {
  const char* text = dlerror();
  return text == nullptr ? "the dynamic linker gives no reason" : text;
}

/// Beside the program, else wherever the dynamic linker looks.
std::string library_path() {
  std::error_code error;
  const auto program = std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) return kName;
  const auto beside = program.parent_path() / kName;
  return std::filesystem::exists(beside, error) ? beside.string() : kName;
}

const CudaLibrary& load() {
  const std::string path = library_path();
  void* handle =
      dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);  // never closed: its code stays in use
  if (handle == nullptr) {
    throw ConfigError(concat("cannot load ", kName, ": ", last_dl_error(),
                             "; run launch/build.sh, or use run.backend = \"mpi\""));
  }
  const auto entry =
      reinterpret_cast<decltype(&kantor_cuda_library)>(dlsym(handle, "kantor_cuda_library"));
  const CudaLibrary* library = entry == nullptr ? nullptr : entry();
  if (library == nullptr || cuda_library_abi() != library->abi) {
    throw ConfigError(concat(path, " is of another build (",
                             library == nullptr ? "no table" : library->abi, "; expected ",
                             cuda_library_abi(), "); run launch/build.sh"));
  }
  return *library;
}

}  // namespace

void load_cuda_library() { static_cast<void>(load()); }

CudaFacts describe_cuda() {
  CudaFacts facts;
  load().describe(facts);
  return facts;
}

const cuda::SoftMinKernels& soft_min_kernels_of_library() { return *load().soft_min; }

std::unique_ptr<Staging> make_page_locked_staging(std::size_t bytes) {
  return std::unique_ptr<Staging>(load().make_staging(bytes));
}

std::unique_ptr<Communicator> make_nccl_communicator(Communicator& host,
                                                     const NcclOptions& options) {
  const CudaLibrary* library = nullptr;
  collectively(host, "loading the CUDA library", [&] { library = &load(); });
  return std::unique_ptr<Communicator>(library->make_nccl(host, options));
}

}  // namespace kantor
