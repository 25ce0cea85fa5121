#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "distributed/adam.hpp"
#include "distributed/context.hpp"
#include "distributed/flat_parameters.hpp"
#include "distributed/trainer_config.hpp"

namespace kantor {

/// What is minimised: this rank's part of a loss over the global batch. It knows nothing of
/// optimisers, and the trainer nothing of optimal transport.
class Objective {
 public:
  virtual ~Objective() = default;
  struct Share {
    at::Tensor loss;   ///< additive, the sum over ranks is the loss: one float64, beside parameters
    double count = 0;  ///< samples of this rank
  };
  /// Forward, exchange, backward: adds this rank's part of the gradient of the global loss.
  /// Collective if the ranks share a batch.
  virtual Share evaluate(std::int64_t step) = 0;
};

struct StepReport {
  std::int64_t step = 0;  ///< 1 after the first
  double loss = 0;
  double count = 0;
  double gradient_norm = 0;
  bool skipped = false;  ///< NaN or inf somewhere: no rank has updated
  bool stop = false;     ///< some rank was asked to stop
};

struct TrainingReport {
  std::int64_t steps = 0;  ///< done, skipped ones included, since step 0
  std::int64_t skipped = 0;
  double samples = 0;
  double seconds = 0;  ///< since step 0, over all the runs that a resumed training took
  /// Shares of this run's time, by phase; of a step on a GPU the host sees only its queueing.
  std::vector<std::pair<std::string, double>> profile;
};

/// Data-parallel training: one all-reduce a step, the same update on every rank. Its whole state is
/// replicated, so a checkpoint holds for any number of ranks.
class Trainer {
 public:
  /// @param parameters of the objective, flat; broadcast from rank 0 here, or restored from the
  /// context's checkpoint. @throws DataError if that does not fit.
  Trainer(const TrainerConfig& config, Objective& objective, FlatParameters& parameters,
          Context& context);

  /// One step, and what became of it.
  StepReport step();
  /// All the steps that remain; metrics, progress and checkpoints on the way, one of step 0 and one
  /// of the last step among them. Leaves the averaged weights in place if the configuration asks
  /// for them.
  /// @throws NumericError after nonfinite_limit skipped steps in a row; Stopped, with a checkpoint.
  TrainingReport run();

 private:
  void advance();
  void update();
  std::vector<StepReport> settle();
  StepReport finish(std::int64_t step, std::span<const double> row);
  bool settles_at(std::int64_t step) const;
  void record(const StepReport& done);
  checkpoint::Snapshot snapshot() const;
  void restore(const checkpoint::Snapshot& state);

  const TrainerConfig& config_;
  Objective& objective_;
  FlatParameters& parameters_;
  Context& context_;
  Adam adam_;
  WeightAverage average_;
  at::Tensor ledger_;  ///< [capacity, kRowSize] float64: what the steps since the last look gave
  std::int64_t num_open_ = 0;  ///< rows in it
  std::int64_t step_ = 0;      ///< done, open ones included
  std::int64_t skipped_in_a_row_ = 0;
  TrainingReport report_;
  double start_s_;  ///< of step 0, as if all had been done in one go
};

}  // namespace kantor
