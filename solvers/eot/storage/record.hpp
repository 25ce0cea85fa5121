#pragma once

// The forms of storage that a run began with: in every checkpoint, and taken from there, so that a
// run that goes on has the same bits whatever memory is free by then.

#include <string>

#include "distributed/checkpoint_scope.hpp"
#include "solvers/eot/storage/plan.hpp"

namespace kantor {

/// plan_storage() with the form of this name that the run began with, if it goes on. @throws also
/// DataError.
StoragePlan recorded_plan(CheckpointScope& run, const std::string& name, const SolveShape& shape,
                          Storage asked, Workload workload, Context& context);

}  // namespace kantor
