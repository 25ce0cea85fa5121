#pragma once

// Weighted points as a problem holds them. Shapes: N points, D dimensions.

#include <cstdint>
#include <vector>

#include "distributed/communicator.hpp"
#include "runtime/data/marginal.hpp"

namespace kantor {

struct Cloud {
  data::Marginal marginal;
  std::vector<double> mean;  ///< [D], weighted

  std::int64_t n() const { return marginal.n(); }
  std::int64_t d() const { return marginal.d(); }
};

/// With its mean, to which every rank adds its share of the rows. Collective.
Cloud cloud_of(data::Marginal marginal, Communicator& world);

/// [D] of two means: what is subtracted from all points before any tile of their costs is made.
std::vector<double> midpoint(const Cloud& x, const Cloud& y);

}  // namespace kantor
