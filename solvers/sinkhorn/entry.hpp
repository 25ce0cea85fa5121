#pragma once

#include "solvers/solver.hpp"

namespace kantor::sinkhorn {

extern const TableEntry kTable;
extern const SolverEntry kEot;

/// Whether some update of this problem would read what solver.sinkhorn.storage asks for.
/// @throws ConfigError.
void check_storage(const Selection& selection);

}  // namespace kantor::sinkhorn
