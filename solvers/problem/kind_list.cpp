// All kinds of problems. A program that defines kinds() itself has others (tests/solvers/toy).

#include "solvers/problem/kind.hpp"

namespace kantor {

std::span<const KindEntry* const> kinds() {
  static constexpr const KindEntry* kKinds[] = {&kEotKind, &kEgwKind, &kMotKind, &kMgwKind,
                                                &kGridsKind};
  return kKinds;
}

}  // namespace kantor
