#include "distributed/nccl/bring_up.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "distributed/collectively.hpp"
#include "distributed/nccl/cuda_facts.hpp"
#include "distributed/nccl/device_calls.hpp"
#include "distributed/shared_gpus.hpp"
#include "runtime/core/process.hpp"

namespace kantor::nccl {
namespace {

/// What a rank says about itself; compared bytewise, so without padding or leftovers.
struct Identity {
  std::array<char, 64> host{};
  std::array<char, 16> uuid{};  ///< of the GPU, or of its MIG instance
  std::array<char, 16> pci{};
  std::array<char, 128> compiled{};
  int device = -1;
  int num_visible = 0;
  int nccl_version = 0;
  int cuda_version = 0;
};

void read_versions(Identity& mine) {
  check(ncclGetVersion(&mine.nccl_version), "ncclGetVersion", nullptr);
  if (mine.nccl_version < NCCL_VERSION_CODE) {
    throw ConfigError(
        concat("NCCL ", nccl_version_text(mine.nccl_version), " was loaded from ",
               path_of(reinterpret_cast<const void*>(&ncclGetVersion)), "; expected ",
               nccl_version_text(NCCL_VERSION_CODE),
               " or later, which kantor was built with: look at LD_LIBRARY_PATH and LD_PRELOAD"));
  }
  check(cudaRuntimeGetVersion(&mine.cuda_version), "cudaRuntimeGetVersion");
  if (mine.cuda_version < CUDART_VERSION) {
    throw ConfigError(concat("CUDA runtime ", mine.cuda_version, " was loaded; expected ",
                             CUDART_VERSION,
                             " or later: LibTorch brings its own, look at LD_PRELOAD"));
  }
}

/// The ranks of a host take the visible GPUs in turn. A launcher may show each rank only its own,
/// so too few of them is no error yet: whether two ranks meet on one is seen by its UUID.
Identity look_for_gpu(const Communicator& host) {
  Identity mine;
  const std::string name = host_name().substr(0, mine.host.size() - 1);
  std::memcpy(mine.host.data(), name.data(), name.size());
  const std::string compiled = concat(NCCL_VERSION_CODE, " ", CUDART_VERSION, " ", __VERSION__)
                                   .substr(0, mine.compiled.size() - 1);
  std::memcpy(mine.compiled.data(), compiled.data(), compiled.size());
  read_versions(mine);
  check(cudaGetDeviceCount(&mine.num_visible), "cudaGetDeviceCount");
  if (mine.num_visible < 1) {
    throw DeviceFault("cudaGetDeviceCount sees none; is CUDA_VISIBLE_DEVICES empty?");
  }
  mine.device = gpu_number(host, mine.num_visible);
  check(cudaSetDevice(mine.device), "cudaSetDevice");
  int current = -1;
  check(cudaGetDevice(&current), "cudaGetDevice");
  if (current != mine.device) {
    throw DeviceFault(concat("cudaSetDevice took GPU ", current, " for ", mine.device));
  }
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, mine.device), "cudaGetDeviceProperties");
  check_set(properties.name[0] == '\0' ? nullptr : &properties, "cudaGetDeviceProperties");
  std::memcpy(mine.uuid.data(), properties.uuid.bytes, mine.uuid.size());
  std::snprintf(mine.pci.data(), mine.pci.size(), "%04x:%02x:%02x", properties.pciDomainID & 0xffff,
                properties.pciBusID & 0xff, properties.pciDeviceID & 0xff);
  return mine;
}

std::vector<Identity> gather(Communicator& host, const Identity& mine) {
  std::vector<Identity> all(static_cast<std::size_t>(host.size()));
  host.all_gather(std::as_bytes(std::span(&mine, 1)), std::as_writable_bytes(std::span(all)),
                  "GPUs of all ranks");
  return all;
}

void refuse_different_builds(const Communicator& host, const std::vector<Identity>& all) {
  for (std::size_t rank = 1; rank < all.size(); ++rank) {
    const Identity& first = all.front();
    const Identity& other = all[rank];
    if (first.nccl_version == other.nccl_version && first.cuda_version == other.cuda_version &&
        first.compiled == other.compiled) {
      continue;
    }
    const auto text = [](const Identity& who) {
      return concat(nccl_version_text(who.nccl_version), " and CUDA ", who.cuda_version, " (",
                    who.host.data(), ", built with ", who.compiled.data(), ")");
    };
    fail_on_all_ranks(
        host, ConfigError(concat("rank 0 has NCCL ", text(first), ", rank ", rank, " ", text(other),
                                 "; all ranks need the same build")));
  }
}

void refuse_shared_gpus(const Communicator& host, const std::vector<Identity>& all) {
  for (std::size_t b = 1; b < all.size(); ++b) {
    for (std::size_t a = 0; a < b; ++a) {
      if (all[a].host != all[b].host || all[a].uuid != all[b].uuid) continue;
      fail_on_all_ranks(
          host,
          ConfigError(concat("ranks ", a, " and ", b, " would share GPU ", all[b].pci.data(),
                             " of ", all[b].host.data(), ", where rank ", b, " sees ",
                             all[b].num_visible, all[b].num_visible == 1 ? " GPU" : " GPUs",
                             "; start at most one rank per GPU (see CUDA_VISIBLE_DEVICES), use "
                             "run.backend = \"mpi\", or set run.allow_gpu_sharing = true")));
    }
  }
}

}  // namespace

int choose_device(Communicator& host, bool allow_gpu_sharing) {
  Identity mine;
  collectively(host, "looking for GPUs", [&] {
    as<ConfigError>("run.backend = \"nccl\" finds no usable GPU on " + host_name() +
                        " (run.backend = \"mpi\" needs none)",
                    [&] { mine = look_for_gpu(host); });
  });
  const std::vector<Identity> all = gather(host, mine);
  refuse_different_builds(host, all);
  if (!allow_gpu_sharing) refuse_shared_gpus(host, all);
  return mine.device;
}

void set_nccl_environment() {
  const auto set = [](const char* name, const char* value) {
    static_cast<void>(setenv(name, value, 0));  // fails only without memory; nothing depends on it
  };
  set("NCCL_DEBUG", "WARN");
  set("NCCL_RAS_ENABLE", "1");
}

ncclUniqueId shared_unique_id(Communicator& host) {
  ncclUniqueId id{};
  collectively(host, "making NCCL's unique id", [&] {
    if (host.rank() != 0) return;
    as<CommError>("bringing NCCL up", [&] {
      check(ncclGetUniqueId(&id), "ncclGetUniqueId", nullptr);
      const bool is_set = std::any_of(std::begin(id.internal), std::end(id.internal),
                                      [](char letter) { return letter != 0; });
      check_set(is_set ? &id : nullptr, "ncclGetUniqueId");
    });
  });
  host.broadcast(std::as_writable_bytes(std::span(&id, 1)), 0, "NCCL's unique id");
  return id;
}

}  // namespace kantor::nccl
