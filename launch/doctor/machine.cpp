#include "launch/doctor/machine.hpp"

#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "launch/torch_setup.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/instruction_set.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"

namespace kantor::launch {
namespace {

constexpr double kLittleMemory = 1e9;  // bytes per rank

std::string counted(std::int64_t count, const std::string& thing) {
  return concat(count, " ", thing, count == 1 ? "" : "s");
}

std::vector<std::string> named(const std::vector<std::string>& libraries,
                               const std::vector<std::string>& beginnings) {
  std::vector<std::string> found;
  for (const std::string& path : libraries) {
    const std::string name = std::filesystem::path(path).filename().string();
    if (std::any_of(beginnings.begin(), beginnings.end(),
                    [&](const std::string& beginning) { return name.starts_with(beginning); })) {
      found.push_back(path);
    }
  }
  return found;
}

}  // namespace

Check check_processor() {
  Check check{.name = "processor"};
  const InstructionSet best = best_instruction_set();
  check.text = concat(cpu_model(), ", instruction set ", name_of(instruction_set()));
  if (instruction_set() != best) {
    check.text += concat(" (", kInstructionSetVariable, "; its best is ", name_of(best), ")");
  }
#if defined(__x86_64__)
  if (best == InstructionSet::portable) {
    check.verdict = Verdict::warn;
    check.remedy =
        "the kernels are several times faster on a processor (or virtual machine) that "
        "shows AVX2 and FMA";
  }
#endif
  return check;
}

Check judge_cores(const CoreUse& use) {
  Check check{.name = "cores"};
  check.text = concat(counted(use.num_ranks, "rank"), " x ", counted(use.num_threads, "thread"),
                      " on ", counted(use.num_cores, "core"));
  if (use.num_available < use.num_cores) {
    check.text += concat(", ", use.num_available, " open to this rank");
  }
  if (use.num_ranks * use.num_threads > use.num_cores) {
    check.verdict = Verdict::warn;
    check.remedy =
        concat("they take turns: start at most ", counted(use.num_cores, "rank"), " on this host");
  } else if (use.num_threads > use.num_available) {
    check.verdict = Verdict::warn;
    check.remedy = "threads share cores: lower run.threads, or mpirun --bind-to none";
  }
  return check;
}

Check check_cores(int num_ranks, int num_threads) {
  return judge_cores({.num_ranks = num_ranks,
                      .num_threads = num_threads,
                      .num_cores = static_cast<int>(sysconf(_SC_NPROCESSORS_ONLN)),
                      .num_available = num_available_cores()});
}

Check judge_memory(double bytes, int num_ranks) {
  Check check{.name = "memory"};
  check.text =
      concat(format_bytes(num_ranks * bytes), " available for ", counted(num_ranks, "rank"));
  if (bytes < kLittleMemory) {
    check.verdict = Verdict::warn;
    check.remedy = concat("runs want ", format_bytes(kLittleMemory),
                          " a rank or more: end other programs, or start fewer ranks");
  }
  return check;
}

Check judge_omp_threads(const char* value) {
  Check check{.name = "OpenMP"};
  check.text = concat("OMP_NUM_THREADS = ", value == nullptr ? "(not set)" : value);
  if (value == nullptr || std::string(value) != "1") {
    check.verdict = Verdict::warn;
    check.remedy = "set it to 1 or unset it: kantor has threads of its own (run.threads)";
  }
  return check;
}

std::vector<std::string> mapped_libraries() {
  std::vector<std::string> paths;
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const auto slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string path = line.substr(slash);
    if (path.find(".so") == std::string::npos) continue;
    if (std::find(paths.begin(), paths.end(), path) == paths.end()) paths.push_back(path);
  }
  return paths;
}

Check judge_openmp(const std::vector<std::string>& libraries) {
  const auto found = named(libraries, {"libgomp", "libomp", "libiomp"});
  Check check{.name = "OpenMP library"};
  check.text = found.empty() ? "none loaded" : join(found);
  if (found.size() > 1) {
    check.verdict = Verdict::warn;
    check.remedy =
        "one copy would do, two fight over the cores: look at LD_PRELOAD and "
        "LD_LIBRARY_PATH";
  }
  return check;
}

Check judge_blas(const std::vector<std::string>& libraries) {
  const auto others = named(libraries, {"libmkl_", "libopenblas", "libblas", "libcblas", "libblis",
                                        "libflexiblas", "libatlas"});
  Check check{.name = "BLAS library"};
  check.text = "LibTorch's own";
  if (!others.empty()) {
    check.verdict = Verdict::warn;
    check.text += concat(", and ", join(others));
    check.remedy =
        "a second BLAS may take the place of the first: look at LD_PRELOAD and "
        "LD_LIBRARY_PATH";
  }
  return check;
}

Check judge_torch(const std::vector<std::string>& libraries) {
  const auto found = named(libraries, {"libtorch_cpu"});
  Check check{.name = "LibTorch",
              .text = concat(torch_version(), ", ", torch_instruction_set(), ", ", join(found))};
  if (found.size() != 1) {
    check.verdict = Verdict::fail;
    check.text = concat(found.size(), " copies of libtorch_cpu are loaded: ", join(found));
    check.remedy = "look at LD_PRELOAD and LD_LIBRARY_PATH, then launch/build.sh";
  }
  return check;
}

Check judge_mpi(const MpiLibrary& library) {
  Check check{.name = "MPI", .text = concat(library.version, ", ", library.path)};
  if (library.is_other_series) {
    check.verdict = Verdict::warn;
    check.text += concat(", but kantor was compiled against ", library.compiled);
    check.remedy = "build kantor again with the MPI that it runs with (launch/build.sh)";
  }
  return check;
}

}  // namespace kantor::launch
