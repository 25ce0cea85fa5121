#pragma once

// Which vector instructions the process works with: our kernels and the libraries under them. The
// processor's best, unless KANTOR_INSTRUCTION_SET names another.

namespace kantor {

enum class InstructionSet { portable, avx2, avx512 };

inline constexpr const char* kInstructionSetVariable = "KANTOR_INSTRUCTION_SET";

/// As the variable takes it: "portable", "avx2", "avx512".
const char* name_of(InstructionSet set);

/// Whether this build and this processor have it.
bool is_available(InstructionSet set);
InstructionSet best_instruction_set();

/// @param asked what the variable holds; null or empty: the best.
/// @throws ConfigError for an unknown name or a set that is not available.
InstructionSet choose_instruction_set(const char* asked);

/// This process's, chosen by the first call, for good. @throws ConfigError.
InstructionSet instruction_set();

/// Where the variable names a set, holds LibTorch's own kernels, MKL and oneDNN to it: they look at
/// variables of their own when they first work. So for main() to call, while there is one thread
/// and no tensor. What the C library takes for exp and log stays the processor's choice.
/// @throws ConfigError.
void hold_libraries_to_instruction_set();

}  // namespace kantor
