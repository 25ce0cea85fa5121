#pragma once

#include <vector>

#include "runtime/kernels/vector_kernels.hpp"

namespace kantor::kernels::test {

/// The instruction sets that this build and this processor have.
inline std::vector<InstructionSet> available_sets() {
  std::vector<InstructionSet> sets = {InstructionSet::portable};
  for (const InstructionSet set : {InstructionSet::avx2, InstructionSet::avx512}) {
    if (is_available(set)) sets.push_back(set);
  }
  return sets;
}

}  // namespace kantor::kernels::test
