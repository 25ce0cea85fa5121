#include "solvers/problem/storage_record.hpp"

namespace kantor {

StoragePlan StorageRecord::plan(const std::string& name, const SolveShape& shape, Storage asked,
                                Workload workload, Context& context) {
  if (const checkpoint::Snapshot* state = keep_.restored()) {
    const auto found = state->metadata.integers.find(name);  // not in those of older versions
    if (found != state->metadata.integers.end()) {
      asked = static_cast<Storage>(found->second);
      workload.is_resumed = true;
    }
  }
  const StoragePlan plan = plan_storage(shape, asked, workload, context);
  forms_[name] = static_cast<std::int64_t>(plan.form);
  return plan;
}

}  // namespace kantor
