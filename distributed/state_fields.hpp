#pragma once

// Replicated state by name, as a checkpoint holds it.

#include <cstdint>
#include <string>
#include <vector>

#include "runtime/checkpoint/snapshot.hpp"

namespace at {
class Tensor;
}

namespace kantor {

/// Who has state describes it once, for saving and for restoring: each field is written to a
/// snapshot, or read from one. @throws DataError, restoring, for what is missing or does not fit.
class StateFields {
 public:
  static StateFields to(checkpoint::Snapshot& saved) { return {&saved, saved, nullptr, ""}; }
  static StateFields from(const checkpoint::Snapshot& restored) {
    return {nullptr, restored, nullptr, ""};
  }
  /// Reads nothing, but counts the fields that the snapshot has.
  static StateFields counting(const checkpoint::Snapshot& restored, std::int64_t& num_found) {
    return {nullptr, restored, &num_found, ""};
  }
  /// Fields of the same snapshot whose names begin so.
  StateFields within(const std::string& prefix) const {
    return {saved_, state_, num_found_, prefix_ + prefix};
  }

  bool is_saving() const { return saved_ != nullptr; }
  bool is_restoring() const { return saved_ == nullptr && num_found_ == nullptr; }

  void add(const std::string& name, std::int64_t& value) const;
  void add(const std::string& name, double& value) const;
  void add(const std::string& name, bool& value) const;  ///< as an integer
  /// As many as there are.
  void add(const std::string& name, std::vector<double>& values) const;
  /// None, or so many.
  void add_or_none(const std::string& name, std::vector<double>& values, std::size_t size) const;
  /// Whether a number belongs to the state: as the caller says, or as the snapshot has it.
  bool has_number(const std::string& name, bool is_saved) const;
  /// Float32 or float64 of any shape, filled in place. Links with LibTorch.
  void add(const std::string& name, const at::Tensor& values) const;
  /// What must be the same then and now. @throws DataError.
  void require(const std::string& name, const std::string& text) const;

 private:
  StateFields(checkpoint::Snapshot* saved, const checkpoint::Snapshot& state,
              std::int64_t* num_found, std::string prefix)
      : saved_(saved), state_(state), num_found_(num_found), prefix_(std::move(prefix)) {}
  /// Whether this is for counting alone.
  bool counts(bool is_there) const;

  checkpoint::Snapshot* saved_;  ///< null unless saving
  const checkpoint::Snapshot& state_;
  std::int64_t* num_found_;  ///< null unless counting
  std::string prefix_;
};

}  // namespace kantor
