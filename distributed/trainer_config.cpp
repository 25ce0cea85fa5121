#include "distributed/trainer_config.hpp"

namespace kantor {

void OptimizerConfig::describe(config::Fields& fields) {
  fields.add("learning_rate", learning_rate, "peak of the schedule: linear warm-up, cosine decay")
      .above(0);
  fields.add("warmup_steps", warmup_steps, "steps of the linear warm-up").at_least(0);
  fields
      .add("final_learning_rate", final_learning_rate,
           "end of the cosine, as a fraction of the peak")
      .between(0, 1);
  fields.add("betas", betas, "decay of Adam's two moments").items(2, 2).at_least(0).below(1);
  fields.add("weight_decay", weight_decay, "decoupled weight decay (AdamW)").at_least(0);
  fields.add("clip_norm", clip_norm, "largest global gradient norm; 0 = no clipping").at_least(0);
  fields
      .add("average_decay", average_decay,
           "exponential average of the weights, used at the end; 0 = none")
      .at_least(0)
      .below(1);
}

void TrainerConfig::describe(config::Fields& fields) {
  fields.add("steps", steps, "optimiser steps").at_least(0);
  optimizer.describe(fields);
  fields
      .add("nonfinite_limit", nonfinite_limit, "steps in a row that may be skipped for NaN or inf")
      .at_least(1);
  fields.add("log_every", log_every, "steps between lines of metrics.jsonl").at_least(1);
}

}  // namespace kantor
