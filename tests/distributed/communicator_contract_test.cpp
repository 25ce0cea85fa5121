// What every back end promises besides values: refusals, counters, agreement, order.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "distributed/rank_memory.hpp"
#include "runtime/core/error.hpp"
#include "tests/distributed/contract.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::test {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class CommunicatorContract : public OnAllRanks {};

/// Runs `call` and returns what the expected error says; rethrows any other.
template <class Expected, class Body>
std::string refusal(Body&& call) {
  try {
    call();
  } catch (const Expected& error) {
    return error.what();
  }
  ADD_FAILURE() << "nothing was thrown";
  return {};
}

std::size_t num_ranks() { return static_cast<std::size_t>(world().size()); }

}  // namespace

TEST_F(CommunicatorContract, knows_its_place) {
  EXPECT_GE(world().rank(), 0);
  EXPECT_LT(world().rank(), world().size());
  EXPECT_GE(world().local_rank(), 0);
  EXPECT_LT(world().local_rank(), world().local_size());
  EXPECT_LE(world().local_size(), world().size());
  std::vector<std::int64_t> ranks(num_ranks());
  const std::vector<std::int64_t> mine = {world().rank()};
  world().all_gather(std::span<const std::int64_t>(mine), std::span(ranks), "ranks");
  for (std::size_t i = 0; i < ranks.size(); ++i) EXPECT_EQ(ranks[i], static_cast<std::int64_t>(i));
}

// A host is shared by its ranks, a process's address space by those that are its threads.
TEST_F(CommunicatorContract, tells_a_rank_its_share_of_the_memory) {
  const double of_host = 8e9 / world().local_size();
  EXPECT_EQ(memory_of_rank(world(), 8'000'000'000, 1'000'000'000'000), of_host);
  const bool are_threads = world().backend_name() == "thread";
  const double of_process = are_threads ? 1e6 / world().size() : 1e6;
  EXPECT_EQ(memory_of_rank(world(), 8'000'000'000, 1'000'000), of_process);
  EXPECT_GT(memory_of_rank(world()), 0);
}

TEST_F(CommunicatorContract, refuses_parts_that_do_not_fit_before_anything_is_sent) {
  const CommCounts before = world().counts();
  const std::vector<double> part(3);
  for (const std::size_t wrong : {3 * num_ranks() + 1, 3 * num_ranks() - 1, 0 * num_ranks()}) {
    std::vector<double> all(wrong);
    const std::string gather = refusal<ShapeError>(
        [&] { world().all_gather(std::span<const double>(part), std::span(all), "potentials"); });
    EXPECT_THAT(gather, AllOf(HasSubstr("all_gather (potentials)"), HasSubstr("part has 3"),
                              HasSubstr(concat("whole ", wrong))));
    std::vector<double> sums(3);
    const std::string scatter = refusal<ShapeError>(
        [&] { world().reduce_scatter(std::span<const double>(all), std::span(sums), "weights"); });
    EXPECT_THAT(scatter, HasSubstr("reduce_scatter (weights)"));
  }
  EXPECT_EQ(world().counts().all_gather, before.all_gather);
  EXPECT_EQ(world().counts().reduce_scatter, before.reduce_scatter);
  EXPECT_EQ(world().counts().bytes, before.bytes);
}

TEST_F(CommunicatorContract, stays_usable_after_one_rank_was_refused) {
  if (world().rank() == 0) {
    std::vector<float> all(num_ranks() + 1);
    const std::vector<float> part(1);
    EXPECT_THROW(world().all_gather(std::span<const float>(part), std::span(all), "parts"),
                 ShapeError);
  }
  EXPECT_EQ(world().agree(world().rank(), "after"), world().size() - 1);
}

TEST_F(CommunicatorContract, refuses_a_root_out_of_range) {
  std::vector<double> buffer(1);
  for (const int root : {-1, world().size(), std::numeric_limits<int>::max()}) {
    EXPECT_THAT(refusal<ValueError>([&] { world().broadcast(std::span(buffer), root, "seed"); }),
                AllOf(HasSubstr("broadcast (seed)"), HasSubstr(concat("root ", root))));
  }
}

TEST_F(CommunicatorContract, refuses_to_reduce_bytes) {
  std::vector<std::byte> buffer(4), all(4 * num_ranks());
  EXPECT_THROW(world().all_reduce(std::span(buffer), ReduceOp::sum, "bytes"), ValueError);
  EXPECT_THROW(world().all_reduce(std::span(buffer), ReduceOp::max, "bytes"), ValueError);
  EXPECT_THROW(world().reduce_scatter(std::span<const std::byte>(all), std::span(buffer), "bytes"),
               ValueError);
}

TEST_F(CommunicatorContract, refuses_overlapping_buffers) {
  std::vector<double> all(2 * num_ranks());
  const std::span<double> part(all.data() + all.size() - 2, 2);
  EXPECT_THROW(world().all_gather(std::span<const double>(part), std::span(all), "slots"),
               ValueError);
  EXPECT_THROW(world().reduce_scatter(std::span<const double>(all), part, "slots"), ValueError);
}

TEST_F(CommunicatorContract, counts_calls_and_the_bytes_handed_in) {
  const auto fresh = make_world();
  std::vector<float> part(5), all(5 * num_ranks());
  fresh->all_reduce(std::span(part), ReduceOp::sum, "a");
  fresh->all_reduce(std::span(part), ReduceOp::max, "b");
  fresh->all_gather(std::span<const float>(part), std::span(all), "c");
  fresh->reduce_scatter(std::span<const float>(all), std::span(part), "d");
  fresh->broadcast(std::span(part), 0, "e");
  fresh->barrier("f");
  fresh->agree(1, "g");
  const CommCounts& counts = fresh->counts();
  EXPECT_EQ(counts.all_reduce, 2);
  EXPECT_EQ(counts.all_gather, 1);
  EXPECT_EQ(counts.reduce_scatter, 1);
  EXPECT_EQ(counts.broadcast, 1);
  EXPECT_EQ(counts.barrier, 1);
  EXPECT_EQ(counts.agree, 1);
  EXPECT_EQ(counts.bytes, 20 + 20 + 20 + 20 * world().size() + 20 + 0 + 8);
  EXPECT_GE(counts.wait_s, 0);
}

TEST_F(CommunicatorContract, agrees_on_the_maximum) {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  EXPECT_EQ(world().agree(10 * world().rank(), "x"), 10 * (world().size() - 1));
  EXPECT_EQ(world().agree(-world().rank(), "x"), 0);
  EXPECT_EQ(world().agree(kLeast, "x"), kLeast);
  const std::int64_t beyond_double = (std::int64_t{1} << 53) + 1;
  EXPECT_EQ(world().agree(world().rank() == 0 ? beyond_double : 0, "x"), beyond_double);
}

TEST_F(CommunicatorContract, barrier_lets_nobody_pass_before_all_have_come) {
  const TemporaryDirectory own;
  std::string shared = own.path().string();
  std::vector<std::byte> letters(4096);
  std::memcpy(letters.data(), shared.data(), shared.size());
  world().broadcast(std::span(letters), 0, "path");
  shared = reinterpret_cast<const char*>(letters.data());
  const auto sign = [&](int round, int rank) { return concat(shared, "/", round, "-", rank); };
  for (int round = 0; round < 20; ++round) {
    std::ofstream(sign(round, world().rank())) << "here";
    world().barrier("signs");
    for (int rank = 0; rank < world().size(); ++rank) {
      EXPECT_TRUE(std::filesystem::exists(sign(round, rank))) << round << " " << rank;
    }
  }
  world().barrier("before the folder of rank 0 goes");
}

TEST_F(CommunicatorContract, verbs_may_alternate_in_any_order) {
  for (int round = 0; round < 50; ++round) {
    const auto size = static_cast<std::size_t>(round * 37 % 101);
    auto buffer = values<double>(world().rank(), size);
    world().broadcast(std::span(buffer), round % world().size(), "values");
    EXPECT_EQ(world().agree(round, "round"), round);
    std::vector<double> all(size * num_ranks()), part(size);
    world().all_gather(std::span<const double>(buffer), std::span(all), "copies");
    world().reduce_scatter(std::span<const double>(all), std::span(part), "sums");
    if (round % 3 == 0) world().barrier("round");
    const auto root_values = values<double>(round % world().size(), size);
    for (std::size_t i = 0; i < size; ++i) {
      double expected = 0;  // the same term P times: a few ulp at most, exact below 4 ranks
      for (std::size_t r = 0; r < num_ranks(); ++r) expected += root_values[i];
      EXPECT_DOUBLE_EQ(part[i], expected);
    }
  }
}

}  // namespace kantor::test
