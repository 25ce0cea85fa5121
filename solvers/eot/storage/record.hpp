#pragma once

// The forms of storage that a run began with: in every checkpoint, and taken from there, so that a
// run that goes on has the same bits whatever memory is free by then.

#include <map>
#include <string>
#include <utility>

#include "distributed/interruption.hpp"
#include "solvers/eot/storage/plan.hpp"

namespace kantor {

/// Between a solver and the place where its checkpoints go.
class StorageRecord final : public Checkpoints {
 public:
  explicit StorageRecord(Checkpoints& keep) : keep_(keep) {}

  /// plan_storage() with the form of this name that the run began with, if it goes on. @throws also
  /// DataError.
  StoragePlan plan(const std::string& name, const SolveShape& shape, Storage asked,
                   Workload workload, Context& context);

  const checkpoint::Snapshot* restored() const override { return keep_.restored(); }
  bool due(std::int64_t step) override { return keep_.due(step); }
  void save(checkpoint::Snapshot state) override {
    state.metadata.integers.insert(forms_.begin(), forms_.end());
    keep_.save(std::move(state));
  }

 private:
  Checkpoints& keep_;
  std::map<std::string, std::int64_t> forms_;
};

}  // namespace kantor
