#include "solvers/eot/storage/record.hpp"

#include "runtime/core/error.hpp"

namespace kantor {

namespace {

/// @throws DataError.
Storage stored_form(const std::string& name, std::int64_t number) {
  const auto form = static_cast<Storage>(number);
  for (const Storage known : {Storage::automatic, Storage::materialised, Storage::streamed,
                              Storage::absorbed, Storage::absorbed16}) {
    if (form == known) return known;
  }
  throw DataError(concat("the checkpoint holds ", number, " for ", name,
                         ", which is no form of storage of this version"));
}

}  // namespace

StoragePlan recorded_plan(CheckpointScope& run, const std::string& name, const SolveShape& shape,
                          Storage asked, Workload workload, Context& context) {
  std::int64_t form = 0;
  if (run.found(name, form)) workload.begun_with = stored_form(name, form);
  const StoragePlan plan = plan_storage(shape, asked, workload, context);
  form = static_cast<std::int64_t>(plan.form);
  run.ended(name, form);
  return plan;
}

}  // namespace kantor
