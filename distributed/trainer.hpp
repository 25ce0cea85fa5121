#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "distributed/adam.hpp"
#include "distributed/checkpoint_scope.hpp"
#include "distributed/context.hpp"
#include "distributed/objective.hpp"

namespace kantor {

/// Parameters that one optimiser trains. The names of a training's groups differ; those after the
/// first stand before what the group has in checkpoints and metrics.
struct Group {
  std::string name;
  FlatParameters& parameters;
  OptimizerConfig optimizer;
};

struct StepReport {
  std::int64_t step = 0;  ///< 1 after the first
  double loss = 0;
  double count = 0;
  double gradient_norm = 0;  ///< of the group on turn
  bool skipped = false;      ///< NaN or inf somewhere: no rank has updated
  bool stop = false;         ///< some rank was asked to stop
};

struct TrainingReport {
  std::int64_t steps = 0;  ///< done, skipped ones included, since step 0
  std::int64_t skipped = 0;
  double samples = 0;
  double seconds = 0;  ///< since step 0, over all the runs that a resumed training took
  /// Shares of this run's time, by phase; of a step on a GPU the host sees only its queueing.
  std::vector<std::pair<std::string, double>> profile;
};

/// Data-parallel training: one all-reduce a step, of the group on turn, and the same update on
/// every rank. Its whole state is replicated, so a checkpoint holds for any number of ranks.
class Trainer {
 public:
  /// @param groups of the objective's parameters, in `turns`; broadcast from rank 0 here, or
  /// restored from the context's checkpoint. @throws DataError if that does not fit.
  /// @param scope where the state goes and comes from, and whose names metrics have; null: the run.
  Trainer(const TrainerConfig& config, Objective& objective, const std::vector<Group>& groups,
          std::vector<Turn> turns, Context& context, CheckpointScope* scope = nullptr);
  /// A training of all parameters as one group, by the optimiser of the configuration.
  Trainer(const TrainerConfig& config, Objective& objective, FlatParameters& parameters,
          Context& context);

  /// One step, and what became of it.
  StepReport step();
  /// All the steps that remain; metrics, progress and checkpoints on the way, one of step 0 and one
  /// of the last step among them. Leaves the averaged weights in place if the configuration asks
  /// for them.
  /// @throws NumericError after nonfinite_limit skipped steps in a row; Stopped, with a checkpoint.
  TrainingReport run();

  /// All that the steps have left; a checkpoint of the scope holds it.
  void describe(const StateFields& fields);

 private:
  /// A group and what its steps have left.
  struct Trained {
    Trained(const Group& group, std::string prefix, std::int64_t num_steps);
    void describe(const StateFields& fields);

    std::string name;
    std::string prefix;  ///< of names
    FlatParameters& parameters;
    OptimizerConfig config;
    std::int64_t num_steps;  ///< in the whole training
    Adam adam;
    WeightAverage average;
    std::int64_t skipped_in_a_row = 0;
  };

  double learning_rate_at(const StepId& id) const;
  bool is_logged(const StepId& id) const;
  StepId advance();
  void update(const StepId& id);
  std::vector<StepReport> synchronize();
  StepReport finish(const StepId& id, std::span<const double> row);
  bool synchronizes_at(const StepId& id) const;
  void record(const StepReport& done);
  void save();

  TrainerConfig config_;
  Objective& objective_;
  Context& context_;
  CheckpointScope run_;
  CheckpointScope& scope_;
  std::vector<Turn> turns_;
  std::vector<Trained> groups_;
  at::Tensor ledger_;  ///< [capacity, kRowSize] float64: what the steps since the last look gave
  std::int64_t num_open_ = 0;  ///< rows in it
  std::int64_t step_ = 0;      ///< done, open ones included
  TrainingReport report_;
  double start_s_;  ///< of step 0, as if all had been done in one go
};

}  // namespace kantor
