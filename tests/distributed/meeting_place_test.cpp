#include "distributed/thread/meeting_place.hpp"

#include <gtest/gtest.h>

namespace kantor::thread {

TEST(MeetingPlace, completes_a_meeting_when_all_have_come) {
  MeetingPlace place(2);
  EXPECT_EQ(place.come(), 1);
  EXPECT_FALSE(place.wait(1, 0));
  EXPECT_EQ(place.come(), 1);
  EXPECT_TRUE(place.wait(1, 0));
  EXPECT_EQ(place.come(), 2);
  EXPECT_FALSE(place.wait(2, 0));
}

TEST(MeetingPlace, stays_open_when_the_last_rank_comes_just_before_it_closes) {
  MeetingPlace place(2);
  place.come();
  place.come();
  EXPECT_FALSE(place.close(1, "rank 0 gave up"));
  EXPECT_EQ(place.come(), 2);
}

TEST(MeetingPlace, completes_nothing_more_once_it_is_closed) {
  MeetingPlace place(2);
  place.come();
  place.come();
  place.come();
  EXPECT_TRUE(place.close(2, "the first reason"));
  EXPECT_TRUE(place.close(2, "a later one"));
  EXPECT_EQ(place.come(), std::nullopt);
  EXPECT_FALSE(place.wait(2, 1e6));
  EXPECT_TRUE(place.wait(1, 1e6));  // complete before: its ranks go on
  EXPECT_EQ(place.reason(), "the first reason");
}

}  // namespace kantor::thread
