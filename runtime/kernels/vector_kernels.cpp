#include "runtime/kernels/vector_kernels.hpp"

#include <type_traits>

#include "runtime/core/error.hpp"

namespace kantor::kernels {

bool is_available(InstructionSet set) {
  if (set == InstructionSet::portable) return true;
#ifdef KANTOR_WITH_AVX2
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
  return false;
#endif
}

template <class T>
const VectorKernels<T>& vector_kernels(InstructionSet set) {
  KANTOR_CHECK(is_available(set), "this processor or this build lacks the AVX2 kernels");
#ifdef KANTOR_WITH_AVX2
  if (set == InstructionSet::avx2) {
    if constexpr (std::is_same_v<T, float>) return kAvx2Float;
    if constexpr (std::is_same_v<T, double>) return kAvx2Double;
  }
#endif
  if constexpr (std::is_same_v<T, float>) return kPortableFloat;
  if constexpr (std::is_same_v<T, double>) return kPortableDouble;
}

template <class T>
const VectorKernels<T>& vector_kernels() {
  return vector_kernels<T>(is_available(InstructionSet::avx2) ? InstructionSet::avx2
                                                              : InstructionSet::portable);
}

template const VectorKernels<float>& vector_kernels<float>(InstructionSet);
template const VectorKernels<double>& vector_kernels<double>(InstructionSet);
template const VectorKernels<float>& vector_kernels<float>();
template const VectorKernels<double>& vector_kernels<double>();

}  // namespace kantor::kernels
