#include "distributed/trainer_config.hpp"

#include "runtime/core/error.hpp"

namespace kantor {

namespace {

template <class... Parts>
void require(bool holds, const Parts&... message) {
  if (!holds) throw ConfigError(concat("solver: ", message...));
}

}  // namespace

void OptimizerConfig::describe(config::Fields& fields) {
  fields.add("learning_rate", learning_rate, "peak of the schedule: linear warm-up, cosine decay");
  fields.add("warmup_steps", warmup_steps, "steps of the linear warm-up");
  fields.add("final_learning_rate", final_learning_rate,
             "end of the cosine, as a fraction of the peak");
  fields.add("betas", betas, "decay of Adam's two moments");
  fields.add("weight_decay", weight_decay, "decoupled weight decay (AdamW)");
  fields.add("clip_norm", clip_norm, "largest global gradient norm; 0 = no clipping");
  fields.add("average_decay", average_decay,
             "exponential average of the weights, used at the end; 0 = none");
}

void OptimizerConfig::check() const {
  require(learning_rate > 0, "learning_rate is ", learning_rate, "; expected a positive number");
  require(warmup_steps >= 0, "warmup_steps is ", warmup_steps, "; expected 0 or more");
  require(final_learning_rate >= 0 && final_learning_rate <= 1, "final_learning_rate is ",
          final_learning_rate, "; expected a fraction from 0 to 1");
  require(betas.size() == 2 && betas[0] >= 0 && betas[0] < 1 && betas[1] >= 0 && betas[1] < 1,
          "betas must be two numbers from 0 to below 1, such as [0.9, 0.999]");
  require(weight_decay >= 0, "weight_decay is ", weight_decay, "; expected 0 or more");
  require(clip_norm >= 0, "clip_norm is ", clip_norm, "; expected 0 (off) or more");
  require(average_decay >= 0 && average_decay < 1, "average_decay is ", average_decay,
          "; expected 0 (off) to below 1");
}

void TrainerConfig::describe(config::Fields& fields) {
  fields.add("steps", steps, "optimiser steps");
  optimizer.describe(fields);
  fields.add("nonfinite_limit", nonfinite_limit,
             "steps in a row that may be skipped for NaN or inf");
  fields.add("log_every", log_every, "steps between lines of metrics.jsonl");
}

void TrainerConfig::check() const {
  require(steps >= 0, "steps is ", steps, "; expected 0 or more");
  optimizer.check();
  require(nonfinite_limit >= 1, "nonfinite_limit is ", nonfinite_limit, "; expected 1 or more");
  require(log_every >= 1, "log_every is ", log_every, "; expected 1 or more");
}

}  // namespace kantor
