#pragma once

#include "solvers/solver.hpp"

namespace kantor::egw {

extern const TableEntry kTable;
extern const SolverEntry kNeural;
extern const SolverEntry kSinkhorn;

}  // namespace kantor::egw
