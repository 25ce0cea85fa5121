#pragma once

// A potential at points of the data, block by block. Shapes: K rows.

#include <cstdint>
#include <span>
#include <vector>

#include "distributed/shards.hpp"
#include "solvers/eot/pair.hpp"
#include "solvers/neural/potential.hpp"

namespace kantor::neural {

/// Which part of f = start + correction + constant (see Potential).
enum class Part { whole, correction };

/// @param rows of marginal 0. @return [K]; computed in T.
template <class T>
std::vector<double> potential_at(const Potential& potential, const Pair& pair,
                                 std::span<const std::int64_t> rows, Part part = Part::whole);

}  // namespace kantor::neural
