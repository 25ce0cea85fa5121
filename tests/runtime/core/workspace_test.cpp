#include "runtime/core/workspace.hpp"

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <utility>
#include <vector>

#include "runtime/core/thread_pool.hpp"

namespace kantor {
namespace {

/// Takes pieces of these sizes, fills each and looks whether all kept their content.
void use(Workspace& workspace, std::initializer_list<std::int64_t> sizes) {
  Workspace::Frame frame(workspace);
  std::vector<std::pair<unsigned char*, std::int64_t>> pieces;
  for (const std::int64_t size : sizes) {
    pieces.emplace_back(frame.take<unsigned char>(size), size);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pieces.back().first) % 64, 0u);
    std::memset(pieces.back().first, static_cast<int>(pieces.size()),
                static_cast<std::size_t>(size));
  }
  for (std::size_t p = 0; p < pieces.size(); ++p) {
    for (std::int64_t k = 0; k < pieces[p].second; ++k) {
      ASSERT_EQ(pieces[p].first[k], p + 1) << p << ", " << k;
    }
  }
}

TEST(Workspace, asks_for_nothing_when_the_same_sizes_come_again) {
  Workspace workspace;
  use(workspace, {100, 1 << 20, 1, 3 << 20, 0, 77777});
  const std::int64_t first = workspace.num_allocations();
  const std::size_t bytes = workspace.capacity_bytes();
  for (int round = 0; round < 5; ++round) use(workspace, {100, 1 << 20, 1, 3 << 20, 0, 77777});
  use(workspace, {3 << 20, 1 << 20, 77777, 100, 1});  // in another order, too
  use(workspace, {5});
  EXPECT_EQ(workspace.num_allocations(), first);
  EXPECT_EQ(workspace.capacity_bytes(), bytes);
}

TEST(Workspace, holds_what_the_largest_use_took) {
  Workspace workspace;
  for (std::int64_t size = 1 << 20; size <= 8 << 20; size += 1 << 20) use(workspace, {size});
  EXPECT_EQ(workspace.capacity_bytes(), std::size_t{8} << 20);
  use(workspace, {5 << 20, 5 << 20});  // the first piece leaves room that the second cannot use
  EXPECT_EQ(workspace.capacity_bytes(), std::size_t{10} << 20);
}

TEST(Workspace, gives_back_what_an_inner_frame_took_and_keeps_what_the_outer_one_did) {
  Workspace workspace;
  Workspace::Frame outer(workspace);
  int* kept = outer.take<int>(1000);
  std::fill_n(kept, 1000, 7);
  void* first = nullptr;
  for (int round = 0; round < 3; ++round) {
    Workspace::Frame inner(workspace);
    int* scratch = inner.take<int>(round == 0 ? 1000 : 100'000);
    std::fill_n(scratch, 1000, round);
    if (round == 1) first = scratch;
    if (round == 2) {
      EXPECT_EQ(scratch, first);
    }
  }
  for (int k = 0; k < 1000; ++k) ASSERT_EQ(kept[k], 7);
}

TEST(Workspace, of_a_pool_belongs_to_one_thread_at_a_time) {
  ThreadPool pool(4);
  // Plain memory: a race, and a wrong sum, if two threads had the same.
  for (int round = 0; round < 50; ++round) {
    pool.for_each(64, [](std::int64_t item, Workspace& workspace) {
      Workspace::Frame frame(workspace);
      std::int64_t* numbers = frame.take<std::int64_t>(2000);
      for (int k = 0; k < 2000; ++k) numbers[k] = item;
      for (int k = 0; k < 2000; ++k) ASSERT_EQ(numbers[k], item);
    });
  }
  EXPECT_LE(pool.num_workspace_allocations(), 4);
  EXPECT_GE(pool.workspace_bytes(), std::size_t{16000});
}

TEST(Workspace, stays_usable_when_an_item_throws_with_a_frame_open) {
  ThreadPool pool(2);
  for (int round = 0; round < 20; ++round) {
    EXPECT_THROW(pool.for_each(8,
                               [](std::int64_t item, Workspace& workspace) {
                                 Workspace::Frame frame(workspace);
                                 frame.take<double>(100'000);
                                 if (item == 3) throw std::runtime_error("three");
                               }),
                 std::runtime_error);
  }
  EXPECT_LE(pool.num_workspace_allocations(), 2);
}

}  // namespace
}  // namespace kantor
