#include "distributed/last_resort.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include "tests/support/subprocess.hpp"

namespace kantor::test {
namespace {

constexpr double kSoon_s = 0.1;
constexpr double kNever_s = 1e6;
constexpr double kPatience_s = 60;

/// A call that does not come back.
[[noreturn]] void hang() {
  for (;;) pause();
}

TEST(LastResortDeathTest, names_rank_and_call_and_leaves_with_75) {
  const auto stick = [] {
    LastResort last_resort(0);
    const LastResort::Watch watch(last_resort, kSoon_s, [] { return "all_reduce #3"; });
    hang();
  };
  EXPECT_EXIT(stick(), testing::ExitedWithCode(75),
              "^kantor: error: \\[rank 0\\] all_reduce #3 does not come back after 0.1 s: .+\n$");
}

TEST(LastResortDeathTest, watches_the_outer_call_again_after_the_inner_one) {
  const auto stick = [] {
    LastResort last_resort(0);
    const LastResort::Watch outer(last_resort, kSoon_s, [] { return "closing"; });
    {
      const LastResort::Watch inner(last_resort, kNever_s, [] { return "farewell"; });
    }
    hang();
  };
  EXPECT_EXIT(stick(), testing::ExitedWithCode(75), "closing does not come back");
}

TEST(LastResortDeathTest, leaves_alone_what_comes_back) {
  const auto work = [] {
    LastResort last_resort(0);
    {
      const LastResort::Watch watch(last_resort, kSoon_s, [] { return "done at once"; });
    }
    int num_looks = 0;  // some milliseconds each: several times as long as the watch
    becomes_true([&] { return ++num_looks > 300; }, kPatience_s);
    _exit(0);
  };
  EXPECT_EXIT(work(), testing::ExitedWithCode(0), "");
}

TEST(LastResort, waits_for_the_start_of_mpi_as_long_as_timeout_s_says) {
  EXPECT_EQ(LastResort::limit_of_start(60), 300);
  EXPECT_EQ(LastResort::limit_of_start(3), 15);
  EXPECT_EQ(LastResort::limit_of_start(0.1), 10);  // a program takes seconds to load
}

TEST(LastResort, gives_polled_deadlines_the_first_word) {
  for (const double timeout_s : {0.1, 1.0, 60.0}) {
    EXPECT_GE(LastResort::limit_of(timeout_s), 2 * timeout_s);
    EXPECT_GE(LastResort::limit_of_start(timeout_s), LastResort::limit_of(timeout_s));
  }
}

}  // namespace
}  // namespace kantor::test
