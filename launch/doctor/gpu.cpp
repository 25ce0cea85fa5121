#include "launch/doctor/gpu.hpp"

#include <cstdlib>
#include <filesystem>
#include <map>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "solvers/device/gpu_check.hpp"

namespace kantor::launch {
namespace {

/// "2 x NVIDIA H100 (compute 9.0, 85 GB)".
std::string device_text(const std::vector<CudaFacts::Device>& devices) {
  std::map<std::string, int> counts;
  for (const CudaFacts::Device& device : devices) {
    ++counts[concat(device.name, " (compute ", device.capability, ", ",
                    format_bytes(static_cast<double>(device.memory_bytes)), ")")];
  }
  std::vector<std::string> kinds;
  for (const auto& [kind, count] : counts) kinds.push_back(concat(count, " x ", kind));
  return join(kinds);
}

Check judge_cuda(const CudaFacts& facts) {
  Check check{.name = "CUDA runtime",
              .text = concat(cuda_version_text(facts.cuda_runtime), ", ", facts.cuda_path)};
  if (facts.cuda_runtime < facts.cuda_compiled) {
    check.verdict = Verdict::warn;
    check.remedy = concat("kantor was built with ", cuda_version_text(facts.cuda_compiled),
                          ", and LibTorch brings its own: look at LD_PRELOAD");
  }
  return check;
}

Check judge_nccl(const CudaFacts& facts) {
  Check check{.name = "NCCL", .text = concat(nccl_version_text(facts.nccl), ", ", facts.nccl_path)};
  if (facts.nccl < facts.nccl_compiled) {
    check.verdict = Verdict::warn;
    check.remedy = concat("run.backend = \"nccl\" wants ", nccl_version_text(facts.nccl_compiled),
                          " or later: look at LD_LIBRARY_PATH and LD_PRELOAD");
  }
  return check;
}

Check judge_devices(const CudaFacts& facts, bool has_gpu_files, int num_ranks) {
  Check check{.name = "GPUs"};
  const auto num_devices = static_cast<int>(facts.devices.size());
  if (num_devices > 0) {
    check.text = device_text(facts.devices);
    if (num_ranks > num_devices) {
      check.verdict = Verdict::warn;
      check.text += concat(" for ", num_ranks, " ranks on this host");
      check.remedy =
          "run.backend = \"nccl\" wants a GPU for each rank: start fewer ranks, or show "
          "them more GPUs (CUDA_VISIBLE_DEVICES)";
    }
    return check;
  }
  const std::string driver = concat("a driver for CUDA ", cuda_version_text(facts.cuda_compiled),
                                    " (580 or later), then launch/bootstrap.sh --gpu");
  if (!has_gpu_files && facts.cuda_driver == 0) {
    check.text = concat("none, CPU only; to use one: ", driver);
    return check;
  }
  check.verdict = Verdict::warn;
  check.text = concat("there is an NVIDIA driver, but no GPU can be used: ",
                      facts.problem.empty() ? "none is visible" : facts.problem);
  check.remedy = concat("look at nvidia-smi and CUDA_VISIBLE_DEVICES; it takes ", driver);
  return check;
}

}  // namespace

std::vector<Check> judge_gpus(const CudaFacts& facts, bool has_gpu_files, int num_ranks) {
  return {judge_cuda(facts), judge_nccl(facts), judge_devices(facts, has_gpu_files, num_ranks)};
}

Check judge_tf32(const char* value) {
  const std::string text = value == nullptr ? "" : value;
  if (text.empty() || text == "0") return {.name = "float32 on GPUs", .text = "full precision"};
  return {.verdict = Verdict::warn,
          .name = "float32 on GPUs",
          .text = concat("NVIDIA_TF32_OVERRIDE=", text,
                         ": cuBLAS rounds what networks and LibTorch's "
                         "reductions multiply to 10 bits, whatever a program asks for"),
          .remedy = "unset it"};
}

Check judge_gpu_kernels(const std::vector<std::string>& faults) {
  if (faults.empty()) {
    return {.name = "GPU kernels",
            .text = "agree with LibTorch's operations: every cost, float32 and float64"};
  }
  const std::string more = faults.size() == 1 ? "" : concat(" (and ", faults.size() - 1, " more)");
  return {.verdict = Verdict::warn,
          .name = "GPU kernels",
          .text = faults.front() + more,
          .remedy = "runs do without them, more slowly; please report this"};
}

namespace {

Check check_gpu_kernels(const Communicator& world) {
  try {
    return judge_gpu_kernels(gpu_kernel_faults(world));
  } catch (const std::exception& error) {
    return {.verdict = Verdict::warn,
            .name = "GPU kernels",
            .text = error.what(),
            .remedy = "runs on CPUs do without it"};
  }
}

}  // namespace

std::vector<Check> check_gpus(const Communicator& world) {
  std::error_code ignored;
  const bool has_gpu_files = std::filesystem::exists("/dev/nvidiactl", ignored) ||
                             std::filesystem::exists("/dev/nvidia0", ignored);
  try {
    const CudaFacts facts = describe_cuda();
    std::vector<Check> checks = judge_gpus(facts, has_gpu_files, world.local_size());
    if (facts.devices.empty()) return checks;
    checks.push_back(judge_tf32(std::getenv("NVIDIA_TF32_OVERRIDE")));
    checks.push_back(check_gpu_kernels(world));
    return checks;
  } catch (const ConfigError& error) {
    return {{.verdict = Verdict::warn,
             .name = "CUDA library",
             .text = error.what(),
             .remedy = "runs on CPUs do without it"}};
  }
}

}  // namespace kantor::launch
