// All solvers. A program that defines solvers() itself has others (tests/solvers/toy).

#include "solvers/egw/entry.hpp"
#include "solvers/neural/entry.hpp"
#include "solvers/progot/entry.hpp"
#include "solvers/sinkhorn/entry.hpp"

namespace kantor {

std::span<const SolverEntry* const> solvers() {
  static constexpr const SolverEntry* kSolvers[] = {&neural::kEot, &sinkhorn::kEot, &progot::kEot,
                                                    &egw::kNeural, &egw::kSinkhorn};
  return kSolvers;
}

}  // namespace kantor
