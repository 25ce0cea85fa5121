#include "runtime/core/instruction_set.hpp"

#include <array>
#include <cstdlib>
#include <string>
#include <string_view>

#include "runtime/core/error.hpp"

namespace kantor {
namespace {

constexpr std::array kSets = {InstructionSet::portable, InstructionSet::avx2,
                              InstructionSet::avx512};

/// A library's variable, and what it takes for each set.
struct LibraryVariable {
  const char* name;
  std::array<const char*, kSets.size()> values;  ///< null: leave it alone
};

constexpr LibraryVariable kLibraryVariables[] = {
    {"ATEN_CPU_CAPABILITY", {"default", "avx2", "avx512"}},
    {"ONEDNN_MAX_CPU_ISA", {"SSE41", "AVX2", "AVX512_CORE"}},
    // Heeded on Intel's processors alone; on others MKL takes AVX2 where it finds it, unless asked
    // for results that are the same on all.
    {"MKL_ENABLE_INSTRUCTIONS", {"SSE4_2", "AVX2", "AVX512"}},
    {"MKL_CBWR", {"COMPATIBLE", nullptr, nullptr}},
};

std::string names_of_available() {
  std::string names;
  for (const InstructionSet set : kSets) {
    if (is_available(set)) names += concat(names.empty() ? "" : ", ", name_of(set));
  }
  return names;
}

}  // namespace

const char* name_of(InstructionSet set) {
  return set == InstructionSet::avx512 ? "avx512"
         : set == InstructionSet::avx2 ? "avx2"
                                       : "portable";
}

bool is_available(InstructionSet set) {
#if defined(__x86_64__)
  if (set == InstructionSet::avx2) {
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
  if (set == InstructionSet::avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
  }
#endif
  return set == InstructionSet::portable;
}

InstructionSet best_instruction_set() {
  if (is_available(InstructionSet::avx512)) return InstructionSet::avx512;
  if (is_available(InstructionSet::avx2)) return InstructionSet::avx2;
  return InstructionSet::portable;
}

InstructionSet choose_instruction_set(const char* asked) {
  if (asked == nullptr || *asked == '\0') return best_instruction_set();
  for (const InstructionSet set : kSets) {
    if (std::string_view(asked) != name_of(set)) continue;
    if (is_available(set)) return set;
    throw ConfigError(concat(kInstructionSetVariable, " = \"", asked,
                             "\": this processor or this build lacks it; it has ",
                             names_of_available()));
  }
  throw ConfigError(concat(kInstructionSetVariable, " = \"", std::string_view(asked).substr(0, 40),
                           "\": expected one of portable, avx2, avx512, or unset it for the best"));
}

InstructionSet instruction_set() {
  static const InstructionSet chosen = choose_instruction_set(std::getenv(kInstructionSetVariable));
  return chosen;
}

void hold_libraries_to_instruction_set() {
  const auto set = static_cast<std::size_t>(instruction_set());
  const char* asked = std::getenv(kInstructionSetVariable);
  if (asked == nullptr || *asked == '\0') return;
  for (const LibraryVariable& variable : kLibraryVariables) {
    const char* value = variable.values[set];
    if (value != nullptr && setenv(variable.name, value, 1) != 0) {
      throw NumericError(concat("cannot set ", variable.name, ": no memory"));
    }
  }
}

}  // namespace kantor
