#pragma once

#include <memory>

#include "solvers/eot/oracle.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::sinkhorn {

/// Sinkhorn in run.precision, each solve from the g of the one before. Points y, their copies and
/// the form of storage stay from solve to solve. Both must outlive it.
std::unique_ptr<EotOracle> make_oracle(const SinkhornConfig& config, Context& context);

}  // namespace kantor::sinkhorn
