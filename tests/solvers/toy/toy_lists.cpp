// What a program of these tests has in place of solver_list.cpp and kind_list.cpp: one row more
// each.

#include "solvers/sinkhorn/entry.hpp"
#include "tests/solvers/toy/toy.hpp"

namespace kantor {

std::span<const KindEntry* const> kinds() {
  static constexpr const KindEntry* kKinds[] = {&kEotKind, &toy::kKind};
  return kKinds;
}

std::span<const SolverEntry* const> solvers() {
  static constexpr const SolverEntry* kSolvers[] = {&sinkhorn::kEot, &toy::kSolver};
  return kSolvers;
}

}  // namespace kantor
