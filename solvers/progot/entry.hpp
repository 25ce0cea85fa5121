#pragma once

#include "solvers/solver.hpp"

namespace kantor::progot {

extern const TableEntry kTable;
extern const SolverEntry kEot;

}  // namespace kantor::progot
