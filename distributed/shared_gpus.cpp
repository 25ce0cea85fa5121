#include "distributed/shared_gpus.hpp"

#include <array>
#include <cstring>
#include <span>
#include <vector>

#include "distributed/nccl/cuda_facts.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"

namespace kantor {
namespace {

/// A rank's GPU; compared bytewise, so without padding or leftovers.
struct GpuOfRank {
  std::array<char, 64> host{};
  std::array<char, 40> uuid{};  ///< "": it has none
};

GpuOfRank my_gpu(const Communicator& world) {
  GpuOfRank mine;
  const std::string host = host_name().substr(0, mine.host.size() - 1);
  std::memcpy(mine.host.data(), host.data(), host.size());
  try {
    const CudaFacts facts = describe_cuda();
    if (facts.devices.empty()) return mine;
    const int number = gpu_number(world, static_cast<int>(facts.devices.size()));
    const std::string uuid =
        facts.devices[static_cast<std::size_t>(number)].uuid.substr(0, mine.uuid.size() - 1);
    std::memcpy(mine.uuid.data(), uuid.data(), uuid.size());
  } catch (const ConfigError&) {  // without the library nothing is known, and nothing to be said
  }
  return mine;
}

}  // namespace

std::string shared_gpus(Communicator& world) {
  const GpuOfRank mine = my_gpu(world);
  std::vector<GpuOfRank> all(static_cast<std::size_t>(world.size()));
  world.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)),
                   "GPUs of all ranks");
  for (std::size_t b = 1; b < all.size(); ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      if (all[a].uuid[0] == '\0' || all[a].host != all[b].host || all[a].uuid != all[b].uuid) {
        continue;
      }
      return concat("ranks ", a, " and ", b, " share the GPU ", all[b].uuid.data(), " of ",
                    all[b].host.data(),
                    ": they wait for each other, and hold what they share twice; start one rank "
                    "per GPU, or show them more (CUDA_VISIBLE_DEVICES)");
    }
  }
  return "";
}

}  // namespace kantor
