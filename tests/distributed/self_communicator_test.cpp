#include <gtest/gtest.h>

#include <cstdio>

#include "tests/support/world.hpp"

namespace kantor::test {

TEST(SelfCommunicator, is_one_rank) {
  EXPECT_EQ(world().size(), 1);
  EXPECT_EQ(world().local_size(), 1);
  EXPECT_EQ(world().backend_name(), "self");
}

TEST(SelfCommunicatorDeathTest, abort_flushes_and_leaves_with_the_code) {
  EXPECT_EXIT(
      {
        std::fputs("last words", stderr);
        world().abort(70);
      },
      testing::ExitedWithCode(70), "last words");
}

}  // namespace kantor::test
