// What the configuration of training refuses, and how rows are shared out.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "distributed/context.hpp"
#include "distributed/shards.hpp"
#include "distributed/trainer_config.hpp"
#include "runtime/core/error.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::test {
namespace {

using ::testing::HasSubstr;

template <class Config>
Config read(const std::string& text) {
  config::Value resolved{config::Table{}, "", ""};
  return config::read<Config>(parsed(text), "table", resolved);
}

struct Refusal {
  std::string line;
  std::string expected;
};

template <class Config>
void expect_refused(const std::vector<Refusal>& refusals) {
  for (const auto& [line, expected] : refusals) {
    const std::string message =
        message_of<ConfigError>([&] { read<Config>(concat("[table]\n", line, "\n")); });
    EXPECT_THAT(message, HasSubstr("table." + line.substr(0, line.find(' '))));
    EXPECT_THAT(message, HasSubstr("problem.toml:2"));
    EXPECT_THAT(message, HasSubstr("expected " + expected)) << line;
  }
}

template <class Config>
void expect_accepted(const std::vector<std::string>& lines) {
  for (const std::string& line : lines) {
    EXPECT_NO_THROW(read<Config>(concat("[table]\n", line, "\n"))) << line;
  }
}

TEST(TrainerConfig, refuses_what_no_training_can_follow) {
  expect_refused<TrainerConfig>({{"steps = -1", "0 or more"},
                                 {"learning_rate = 0", "more than 0"},
                                 {"learning_rate = -1e-3", "more than 0"},
                                 {"learning_rate = nan", "a finite number"},
                                 {"warmup_steps = -1", "0 or more"},
                                 {"final_learning_rate = -0.1", "0 to 1"},
                                 {"final_learning_rate = 1.1", "0 to 1"},
                                 {"final_learning_rate = nan", "a finite number"},
                                 {"betas = []", "2 of them"},
                                 {"betas = [0.9]", "2 of them"},
                                 {"betas = [0.9, 0.9, 0.9]", "2 of them"},
                                 {"betas = [1, 0.9]", "less than 1"},
                                 {"betas = [0.9, 1]", "less than 1"},
                                 {"betas = [-0.1, 0.9]", "0 or more"},
                                 {"betas = [0.9, -0.1]", "0 or more"},
                                 {"weight_decay = -1", "0 or more"},
                                 {"clip_norm = -1", "0 or more"},
                                 {"average_decay = -0.1", "0 or more"},
                                 {"average_decay = 1", "less than 1"},
                                 {"nonfinite_limit = 0", "1 or more"},
                                 {"log_every = 0", "1 or more"}});
}

TEST(TrainerConfig, accepts_the_defaults_and_the_ends_of_every_range) {
  expect_accepted<TrainerConfig>({"", "steps = 0", "warmup_steps = 0",
                                  "steps = 1\nwarmup_steps = 2", "final_learning_rate = 0",
                                  "final_learning_rate = 1", "betas = [0, 0]",
                                  "average_decay = 0.999", "nonfinite_limit = 1", "log_every = 1"});
}

TEST(TrainerConfig, is_read_from_its_keys) {
  const auto config = read<TrainerConfig>(
      "[table]\nsteps = 1\nlearning_rate = 2\nwarmup_steps = 3\nfinal_learning_rate = 0.4\n"
      "betas = [0.5, 0.6]\nweight_decay = 7\nclip_norm = 8\naverage_decay = 0.9\n"
      "nonfinite_limit = 10\nlog_every = 11\n");
  EXPECT_EQ(config.steps, 1);
  EXPECT_EQ(config.optimizer.learning_rate, 2);
  EXPECT_EQ(config.optimizer.warmup_steps, 3);
  EXPECT_EQ(config.optimizer.final_learning_rate, 0.4);
  EXPECT_EQ(config.optimizer.betas, (std::vector<double>{0.5, 0.6}));
  EXPECT_EQ(config.optimizer.weight_decay, 7);
  EXPECT_EQ(config.optimizer.clip_norm, 8);
  EXPECT_EQ(config.optimizer.average_decay, 0.9);
  EXPECT_EQ(config.nonfinite_limit, 10);
  EXPECT_EQ(config.log_every, 11);
  EXPECT_THROW(read<TrainerConfig>("[table]\nlog_every = 0\n"), ConfigError);
  EXPECT_THROW(read<TrainerConfig>("[table]\nlearning_rate = inf\n"), ConfigError);
  EXPECT_THROW(read<TrainerConfig>("[table]\nweight_decay = inf\n"), ConfigError);
}

TEST(RunConfig, refuses_what_no_run_can_follow) {
  expect_refused<RunConfig>({{"seed = -1", "0 or more"},
                             {"threads = -1", "0 to 1024"},
                             {"threads = 1025", "0 to 1024"},
                             {"ranks = -1", "0 to 1024"},
                             {"timeout_s = 0", "more than 0"},
                             {"timeout_s = -1", "more than 0"},
                             {"timeout_s = nan", "a finite number"},
                             {"max_wall_s = -1", "0 or more"}});
  for (const char* line :
       {"device = \"tpu\"", "backend = \"gloo\"", "precision = \"float16\"", "timeout_s = inf",
        "checkpoint = { keep = 1 }", "checkpoint = { every_steps = -1 }", "ranks = 2"}) {
    EXPECT_THROW(read<RunConfig>(concat("[table]\n", line, "\n")), ConfigError) << line;
  }
}

TEST(RunConfig, accepts_the_defaults_and_the_ends_of_every_range) {
  expect_accepted<RunConfig>(
      {"", "seed = 0", "threads = 0", "threads = 1024", "timeout_s = 1e-3", "max_wall_s = 0"});
  const auto config = read<RunConfig>(
      "[table]\nseed = 5\ndevice = \"cpu\"\nbackend = \"mpi\"\nthreads = 2\n"
      "precision = \"float64\"\ntimeout_s = 7\n");
  EXPECT_EQ(config.seed, 5);
  EXPECT_EQ(config.device, "cpu");
  EXPECT_EQ(config.backend, "mpi");
  EXPECT_EQ(config.threads, 2);
  EXPECT_EQ(config.precision, "float64");
  EXPECT_EQ(config.timeout_s, 7);
}

/// "first-last" of every rank.
std::string shards(std::int64_t count, int size) {
  std::string result;
  for (int rank = 0; rank < size; ++rank) {
    const Shard shard = shard_of(count, rank, size);
    result += concat(rank == 0 ? "" : " ", shard.first, "-", shard.last);
  }
  return result;
}

TEST(Shard, gives_equal_slots_with_the_last_ones_shorter_or_empty) {
  EXPECT_EQ(shards(0, 3), "0-0 0-0 0-0");
  EXPECT_EQ(shards(2, 3), "0-1 1-2 2-2");  // below the ranks
  EXPECT_EQ(shards(3, 3), "0-1 1-2 2-3");  // at them
  EXPECT_EQ(shards(4, 3), "0-2 2-4 4-4");  // above: two slots each, the last rank has none
  EXPECT_EQ(shards(67, 3), "0-23 23-46 46-67");
  EXPECT_EQ(shards(67, 1), "0-67");
}

TEST(Shard, covers_every_row_once_within_its_slots) {
  for (int size = 1; size <= 9; ++size) {
    for (std::int64_t count = 0; count <= 40; ++count) {
      std::int64_t next = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Shard shard = shard_of(count, rank, size);
        EXPECT_EQ(shard.first, next);
        EXPECT_GE(shard.count(), 0);
        EXPECT_LE(shard.count(), shard.slots);
        EXPECT_GE(shard.slots * size, count);
        EXPECT_LT(shard.slots * size, count + size);
        next = shard.last;
      }
      EXPECT_EQ(next, count) << "on " << size << " ranks";
    }
  }
}

TEST(Shard, holds_counts_beyond_32_bits) {
  const Shard shard = shard_of(10'000'000'001, 3, 4);
  EXPECT_EQ(shard.slots, 2'500'000'001);
  EXPECT_EQ(shard.count(), 2'499'999'998);
}

}  // namespace
}  // namespace kantor::test
