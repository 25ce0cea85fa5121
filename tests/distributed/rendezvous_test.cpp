#include "distributed/thread/rendezvous.hpp"

#include <gtest/gtest.h>

namespace kantor::thread {

TEST(Rendezvous, completes_a_meeting_when_all_have_come) {
  Rendezvous place(2);
  EXPECT_EQ(place.arrive(), 1);
  EXPECT_FALSE(place.wait(1, 0));
  EXPECT_EQ(place.arrive(), 1);
  EXPECT_TRUE(place.wait(1, 0));
  EXPECT_EQ(place.arrive(), 2);
  EXPECT_FALSE(place.wait(2, 0));
}

TEST(Rendezvous, stays_open_when_the_last_rank_comes_just_before_it_closes) {
  Rendezvous place(2);
  place.arrive();
  place.arrive();
  EXPECT_FALSE(place.close(1, "rank 0 gave up"));
  EXPECT_EQ(place.arrive(), 2);
}

TEST(Rendezvous, completes_nothing_more_once_it_is_closed) {
  Rendezvous place(2);
  place.arrive();
  place.arrive();
  place.arrive();
  EXPECT_TRUE(place.close(2, "the first reason"));
  EXPECT_TRUE(place.close(2, "a later one"));
  EXPECT_EQ(place.arrive(), std::nullopt);
  EXPECT_FALSE(place.wait(2, 1e6));
  EXPECT_TRUE(place.wait(1, 1e6));  // complete before: its ranks go on
  EXPECT_EQ(place.reason(), "the first reason");
}

}  // namespace kantor::thread
