#pragma once

#include <optional>
#include <vector>

#include "distributed/interruption.hpp"

namespace kantor::test {

/// Keeps every checkpoint, on every rank, and goes on from one if asked.
class MemoryCheckpoints final : public Checkpoints {
 public:
  explicit MemoryCheckpoints(std::int64_t every_steps = 0) : every_steps_(every_steps) {}

  void resume_from(checkpoint::Snapshot state) { restored_ = std::move(state); }
  const std::vector<checkpoint::Snapshot>& saved() const { return saved_; }

  const checkpoint::Snapshot* restored() const override {
    return restored_ ? &*restored_ : nullptr;
  }
  bool due(std::int64_t step) override { return every_steps_ > 0 && step % every_steps_ == 0; }
  void save(checkpoint::Snapshot state) override { saved_.push_back(std::move(state)); }

 private:
  std::int64_t every_steps_;
  std::vector<checkpoint::Snapshot> saved_;
  std::optional<checkpoint::Snapshot> restored_;
};

/// Says yes from the moment it is told to, or from its n-th answer on.
class ToldToStop final : public StopSource {
 public:
  void ask() { asked_ = true; }
  void ask_at(std::int64_t answer) { answer_ = answer; }
  std::int64_t num_answers() const { return num_answers_; }
  bool requested() override {
    ++num_answers_;
    return asked_ || (answer_ > 0 && num_answers_ >= answer_);
  }

 private:
  bool asked_ = false;
  std::int64_t answer_ = 0;
  std::int64_t num_answers_ = 0;
};

}  // namespace kantor::test
