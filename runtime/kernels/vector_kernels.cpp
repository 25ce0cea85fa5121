#include "runtime/kernels/vector_kernels.hpp"

#include <type_traits>

#include "runtime/core/error.hpp"

namespace kantor::kernels {

template <class T>
const VectorKernels<T>& vector_kernels(InstructionSet set) {
  KANTOR_CHECK(is_available(set), "this processor or this build lacks the ", name_of(set),
               " kernels");
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
  return vector_kernels<T>(instruction_set());
}

template const VectorKernels<float>& vector_kernels<float>(InstructionSet);
template const VectorKernels<double>& vector_kernels<double>(InstructionSet);
template const VectorKernels<float>& vector_kernels<float>();
template const VectorKernels<double>& vector_kernels<double>();

}  // namespace kantor::kernels
