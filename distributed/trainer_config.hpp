#pragma once

#include <cstdint>
#include <vector>

#include "runtime/config/reader.hpp"

namespace kantor {

/// Adam, its schedule and the average of what it has made, of one group of parameters.
struct OptimizerConfig {
  double learning_rate = 1e-3;        ///< peak of the schedule
  std::int64_t warmup_steps = 100;    ///< linear from 0
  double final_learning_rate = 0.01;  ///< end of the cosine, as a fraction of the peak
  std::vector<double> betas = {0.9, 0.999};
  double weight_decay = 0;   ///< decoupled (AdamW)
  double clip_norm = 0;      ///< norm of the group's gradient; 0 = no clipping
  double average_decay = 0;  ///< of the exponential average of the weights; 0 = none

  void describe(config::Fields& fields);
};

/// Steps and optimiser; its keys stand in the table of the solver that trains.
struct TrainerConfig {
  std::int64_t steps = 2000;
  OptimizerConfig optimizer;          ///< of a training of one group
  std::int64_t nonfinite_limit = 10;  ///< steps of a group in a row that may be skipped
  std::int64_t log_every = 50;        ///< steps of a group between metrics lines

  void describe(config::Fields& fields);
};

}  // namespace kantor
