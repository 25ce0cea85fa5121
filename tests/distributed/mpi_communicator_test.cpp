// The MPI back end alone: deadlines, pieces below the count limit, options.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "runtime/core/error.hpp"
#include "tests/distributed/contract.hpp"

namespace kantor::test {
namespace {

using testing::HasSubstr;

std::size_t num_ranks() { return static_cast<std::size_t>(world().size()); }

/// Small integers as T: their sums are exact in any order, so pieces must give equal bits.
template <class T>
std::vector<T> whole_numbers(std::size_t size) {
  std::vector<T> result(size);
  for (std::size_t i = 0; i < size; ++i) {
    result[i] = static_cast<T>(
        static_cast<int>(hash(static_cast<std::uint64_t>(world().rank()), i) % 2001) - 1000);
  }
  return result;
}

struct AllVerbs {
  std::vector<double> buffer, all, part;  // [n], [P n], [n]
};

/// One call that waits for the last rank, on buffers that outlive it.
struct WaitingCall {
  std::string verb;
  std::string payload;
  std::function<void(Communicator&, AllVerbs&)> enter;
};

/// The end of the late rank's communicator would wait for the others' farewell, which never comes,
/// until the deadline.
void keep_to_the_end(std::unique_ptr<Communicator> communicator) {
  static std::vector<std::unique_ptr<Communicator>> kept;
  kept.push_back(std::move(communicator));
}

std::vector<WaitingCall> waiting_calls() {
  const int last = world().size() - 1;
  return {
      {"all_reduce", "gradients, 8.0 kB",
       [](Communicator& ranks, AllVerbs& data) {
         ranks.all_reduce(std::span(data.buffer), ReduceOp::sum, "gradients");
       }},
      {"all_gather", "potentials, 8.0 kB",
       [](Communicator& ranks, AllVerbs& data) {
         ranks.all_gather(std::span<const double>(data.buffer), std::span(data.all), "potentials");
       }},
      {"reduce_scatter", concat("weights, ", world().size() * 8, ".0 kB"),
       [](Communicator& ranks, AllVerbs& data) {
         ranks.reduce_scatter(std::span<const double>(data.all), std::span(data.part), "weights");
       }},
      {"broadcast", "parameters, 8.0 kB",
       [last](Communicator& ranks, AllVerbs& data) {
         ranks.broadcast(std::span(data.buffer), last, "parameters");
       }},
      {"barrier", "start, 0 B", [](Communicator& ranks, AllVerbs&) { ranks.barrier("start"); }},
      {"agree", "files, 8 B", [](Communicator& ranks, AllVerbs&) { ranks.agree(1, "files"); }},
  };
}

}  // namespace

TEST(MpiCommunicator, is_mpi) { EXPECT_EQ(world().backend_name(), "mpi"); }

template <class T>
struct MpiPieces : testing::Test {};
using PieceTypes = testing::Types<float, double, std::int32_t, std::int64_t>;
TYPED_TEST_SUITE(MpiPieces, PieceTypes);

TYPED_TEST(MpiPieces, below_a_lowered_count_limit_equal_the_single_call) {
  using T = TypeParam;
  for (const std::int64_t limit : {1, 3, 10, 64}) {
    const auto pieces = make_world({.max_count = limit});
    for (const std::size_t size : {1, 3, 9, 10, 11, 64, 129}) {
      const auto mine = whole_numbers<T>(size);
      const auto mine_for_all = whole_numbers<T>(size * num_ranks());
      const auto run = [&](Communicator& ranks) {
        std::vector<std::vector<T>> results = {mine, mine, mine, std::vector<T>(size * num_ranks()),
                                               std::vector<T>(size)};
        ranks.all_reduce(std::span(results[0]), ReduceOp::sum, "sum");
        ranks.all_reduce(std::span(results[1]), ReduceOp::max, "max");
        ranks.broadcast(std::span(results[2]), ranks.size() - 1, "copy");
        ranks.all_gather(std::span<const T>(mine), std::span(results[3]), "all");
        ranks.reduce_scatter(std::span<const T>(mine_for_all), std::span(results[4]), "slice");
        return results;
      };
      EXPECT_EQ(run(*pieces), run(world())) << "limit " << limit << ", size " << size;
    }
  }
}

TEST(MpiCommunicator, sums_reals_alike_in_pieces_and_at_once) {
  // Not a promise of MPI, but of the in-place reduction chosen here: the order of an element's sum
  // depends on the number of ranks alone.
  for (const std::size_t size : {std::size_t{1023}, std::size_t{100003}}) {
    auto whole = values<float>(world().rank(), size);
    auto in_pieces = whole;
    world().all_reduce(std::span(whole), ReduceOp::sum, "whole");
    const auto pieces = make_world({.max_count = 1000});
    pieces->all_reduce(std::span(in_pieces), ReduceOp::sum, "pieces");
    EXPECT_TRUE(same_bits<float>(whole, in_pieces)) << size;
  }
}

TEST(MpiCommunicator, waits_longer_where_it_is_given_a_later_deadline) {
  const bool is_late = world().rank() == world().size() - 1;
  auto hasty = make_world({.timeout_s = is_late ? 60.0 : 0.05});
  hasty->take_deadline(0.25);
  if (!is_late) {
    try {
      hasty->barrier("x");
      ADD_FAILURE() << "nobody was late";
    } catch (const CommError& error) {
      EXPECT_THAT(error.what(), HasSubstr("not finished after 0.25 s"));
    }
  }
  world().barrier("the others have given up");
  if (!is_late) return;
  hasty->barrier("x");
  keep_to_the_end(std::move(hasty));
}

TEST(MpiCommunicator, names_verb_number_payload_and_the_late_rank_when_the_deadline_passes) {
  const int last = world().size() - 1;
  const bool is_late = world().rank() == last;
  for (const WaitingCall& call : waiting_calls()) {
    // The buffers live until the late rank's messages have come in, as the contract demands.
    AllVerbs data{std::vector<double>(1000), std::vector<double>(1000 * num_ranks()),
                  std::vector<double>(1000)};
    auto hasty = make_world({.timeout_s = is_late ? 60.0 : 0.05});
    hasty->all_reduce(std::span<double>(), ReduceOp::sum, "nothing");  // #1 waits for nobody
    hasty->take_deadline(0);
    hasty->at_step(139);
    std::string message;
    if (!is_late) {
      try {
        call.enter(*hasty, data);
      } catch (const CommError& error) {
        message = error.what();
      }
      EXPECT_EQ(message, concat(call.verb, " #2 (", call.payload,
                                ") at step 139 not finished after 0.05 s; rank ", last,
                                " last seen at #1. See rank ", last,
                                "'s log; raise run.timeout_s if steps are slow"));
      // Unusable from now on, at once and for every verb.
      for (const WaitingCall& other : waiting_calls()) {
        try {
          other.enter(*hasty, data);
          ADD_FAILURE() << other.verb << " went through";
        } catch (const CommError& error) {
          EXPECT_THAT(error.what(), HasSubstr(concat("unusable since ", call.verb, " #2 failed")));
        }
      }
    }
    world().barrier("the others have given up");
    if (is_late) call.enter(*hasty, data);  // their requests are still open: it gets through
    world().barrier("the late rank is through");
    if (is_late) keep_to_the_end(std::move(hasty));
  }
}

TEST(MpiCommunicator, says_so_when_a_rank_is_at_another_verb) {
  const int last = world().size() - 1;
  const bool is_lost = world().rank() == last;
  if (last == 0) return world().barrier("alone, nobody can differ");
  static std::vector<double> sums(1);  // its request stays open for good
  const auto hasty = make_world({.timeout_s = 1});
  world().barrier("start together");
  std::string message;
  try {
    if (is_lost) {
      hasty->agree(0, "flag");
    } else {
      hasty->all_reduce(std::span(sums), ReduceOp::sum, "loss");
    }
  } catch (const CommError& error) {
    message = error.what();
  }
  if (is_lost) {
    EXPECT_THAT(message, HasSubstr("rank 0 is at all_reduce #1"));
  } else {
    EXPECT_THAT(message, HasSubstr(concat("rank ", last, " is at agree #1")));
  }
  world().barrier("all have given up");
}

TEST(MpiCommunicator, survives_the_end_of_a_broken_one) {
  auto hasty = make_world({.timeout_s = 0.05});
  static std::vector<double> sums(1000);  // its request stays open for good
  if (world().rank() != 0 || world().size() == 1) {
    hasty.reset();
  } else {
    EXPECT_THROW(hasty->all_reduce(std::span(sums), ReduceOp::sum, "sums"), CommError);
    hasty.reset();
  }
  EXPECT_EQ(world().agree(world().rank(), "the others go on"), world().size() - 1);
}

TEST(MpiCommunicator, refuses_bad_options) {
  for (const double timeout_s : {0.0, -1.0, std::numeric_limits<double>::infinity(),
                                 std::numeric_limits<double>::quiet_NaN()}) {
    EXPECT_THROW(make_world({.timeout_s = timeout_s}), ConfigError) << timeout_s;
  }
  for (const std::int64_t max_count : {std::int64_t{-1}, std::int64_t{1} << 31}) {
    EXPECT_THROW(make_world({.max_count = max_count}), ValueError) << max_count;
  }
}

}  // namespace kantor::test
