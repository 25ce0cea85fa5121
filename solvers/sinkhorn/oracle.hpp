#pragma once

#include <memory>

#include "solvers/eot/oracle.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::sinkhorn {

/// Sinkhorn in run.precision. Points y, their copies and the form of storage stay from solve to
/// solve. Epsilon decays where a solve starts from nothing.
/// @param scope of all its solves, where the form of storage is kept. All must outlive it.
std::unique_ptr<EotOracle> make_oracle(const SinkhornConfig& config, CheckpointScope& scope,
                                       Context& context);

}  // namespace kantor::sinkhorn
