#include "runtime/kernels/vector_kernels.hpp"

#include <type_traits>

#include "runtime/core/error.hpp"

namespace kantor::kernels {

bool is_available(InstructionSet set) {
#ifdef KANTOR_WITH_X86_KERNELS
  switch (set) {
    case InstructionSet::portable:
      return true;
    case InstructionSet::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case InstructionSet::avx512:
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

const char* name(InstructionSet set) {
  return set == InstructionSet::avx512 ? "AVX-512"
         : set == InstructionSet::avx2 ? "AVX2"
                                       : "portable";
}

template <class T>
const VectorKernels<T>& vector_kernels(InstructionSet set) {
  KANTOR_CHECK(is_available(set), "this processor or this build lacks the ", name(set), " kernels");
  constexpr bool is_float = std::is_same_v<T, float>;
#ifdef KANTOR_WITH_X86_KERNELS
  if (set == InstructionSet::avx512) {
    if constexpr (is_float) return kAvx512Float;
    if constexpr (!is_float) return kAvx512Double;
  }
  if (set == InstructionSet::avx2) {
    if constexpr (is_float) return kAvx2Float;
    if constexpr (!is_float) return kAvx2Double;
  }
#endif
  if constexpr (is_float) return kPortableFloat;
  if constexpr (!is_float) return kPortableDouble;
}

template <class T>
const VectorKernels<T>& vector_kernels() {
  return vector_kernels<T>(best_instruction_set());
}

template const VectorKernels<float>& vector_kernels<float>(InstructionSet);
template const VectorKernels<double>& vector_kernels<double>(InstructionSet);
template const VectorKernels<float>& vector_kernels<float>();
template const VectorKernels<double>& vector_kernels<double>();

}  // namespace kantor::kernels
