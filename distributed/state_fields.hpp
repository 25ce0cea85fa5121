#pragma once

// Replicated state by name, as a checkpoint holds it.

#include <cstdint>
#include <string>

#include "runtime/checkpoint/snapshot.hpp"

namespace at {
class Tensor;
}

namespace kantor {

/// Who has state describes it once, for saving and for restoring: each field is written to a
/// snapshot, or read from one. @throws DataError, restoring, for what is missing or does not fit.
class StateFields {
 public:
  static StateFields to(checkpoint::Snapshot& saved) { return {&saved, saved, ""}; }
  static StateFields from(const checkpoint::Snapshot& restored) { return {nullptr, restored, ""}; }
  /// Fields of the same snapshot whose names begin so.
  StateFields within(const std::string& prefix) const { return {saved_, state_, prefix_ + prefix}; }

  void add(const std::string& name, std::int64_t& value) const;
  void add(const std::string& name, double& value) const;
  /// Float32 or float64 of any shape, filled in place. Links with LibTorch.
  void add(const std::string& name, const at::Tensor& values) const;
  /// What must be the same then and now. @throws DataError.
  void require(const std::string& name, const std::string& text) const;

 private:
  StateFields(checkpoint::Snapshot* saved, const checkpoint::Snapshot& state, std::string prefix)
      : saved_(saved), state_(state), prefix_(std::move(prefix)) {}

  checkpoint::Snapshot* saved_;  ///< null while restoring
  const checkpoint::Snapshot& state_;
  std::string prefix_;
};

}  // namespace kantor
