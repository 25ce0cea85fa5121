#pragma once

#include "solvers/solver.hpp"

namespace kantor::neural {

extern const TableEntry kTable;
extern const SolverEntry kEot;

}  // namespace kantor::neural
