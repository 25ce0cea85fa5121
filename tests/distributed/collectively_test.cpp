#include "distributed/collectively.hpp"

#include <gtest/gtest.h>

#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

bool fails(int failing_ranks, int rank) { return (failing_ranks >> rank & 1) != 0; }

int lowest_rank(int failing_ranks) {
  int rank = 0;
  while (!fails(failing_ranks, rank)) ++rank;
  return rank;
}

/// The error of a rank: each another type, so that the exit code tells whose it was.
void fail(int rank) {
  if (rank == 0) throw DataError("rank 0 has no data");
  if (rank == 1) throw IoError("rank 1 has no disk");
  throw ConfigError(concat("rank ", rank, " has no plan"));
}
ExitCode code_of(int rank) {
  return rank == 0 ? ExitCode::data : rank == 1 ? ExitCode::io : ExitCode::config;
}

TEST(Together, does_the_work_once_and_agrees_once) {
  const CommCounts before = world().counts();
  int num_calls = 0;
  collectively(world(), "work", [&] { ++num_calls; });
  EXPECT_EQ(num_calls, 1);
  EXPECT_EQ(world().counts().agree - before.agree, 1);
  EXPECT_EQ(world().counts().barrier, before.barrier);
}

TEST(Together, lowest_failing_rank_throws_its_own_error_and_the_others_follow) {
  for (int failing = 1; failing < 1 << world().size(); ++failing) {
    const int culprit = lowest_rank(failing);
    try {
      collectively(world(), "work", [&] {
        if (fails(failing, world().rank())) fail(world().rank());
      });
      ADD_FAILURE() << "threw nothing, ranks " << failing;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), code_of(culprit)) << "ranks " << failing;
      EXPECT_TRUE(error.is_agreed());
      const bool is_peer = dynamic_cast<const PeerError*>(&error) != nullptr;
      EXPECT_EQ(is_peer, world().rank() != culprit) << "ranks " << failing;
      if (!is_peer) {
        EXPECT_TRUE(std::string(error.what()).starts_with(concat("rank ", culprit)))
            << error.what();
      }
    }
  }
  EXPECT_EQ(world().agree(1, "still in step"), 1);
}

TEST(Together, foreign_exceptions_are_internal_failures) {
  const int culprit = world().size() - 1;
  const auto work = [&] {
    if (world().rank() == culprit) throw std::out_of_range("vector::at");
  };
  try {
    collectively(world(), "work", work);
    ADD_FAILURE() << "threw nothing";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), ExitCode::internal);
    EXPECT_TRUE(error.is_agreed());
    const bool is_peer = dynamic_cast<const PeerError*>(&error) != nullptr;
    EXPECT_EQ(is_peer, world().rank() != culprit);
    if (!is_peer) {
      EXPECT_STREQ(error.what(), "vector::at");
    }
  }
}

TEST(Together, an_error_of_all_ranks_is_reported_by_rank_0) {
  const auto work = [] { throw ShapeError("3 is not 4"); };
  const auto call = [&] { collectively(world(), "work", work); };
  if (world().rank() == 0) {
    EXPECT_EQ(message_of<ShapeError>(call), "3 is not 4");
  } else {
    EXPECT_EQ(message_of<PeerError>(call), "another rank failed and reports why");
  }
}

TEST(FailAlike, rank_0_reports_and_the_others_follow) {
  try {
    fail_on_all_ranks(world(), ConfigError("no such key"));
  } catch (const ConfigError& error) {
    EXPECT_EQ(world().rank(), 0);
    EXPECT_STREQ(error.what(), "no such key");
    EXPECT_TRUE(error.is_agreed());
  } catch (const PeerError& error) {
    EXPECT_NE(world().rank(), 0);
    EXPECT_EQ(error.exit_code(), ExitCode::config);
    EXPECT_TRUE(error.is_agreed());
  }
}

}  // namespace
}  // namespace kantor::test
