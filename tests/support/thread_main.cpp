// main() of GoogleTest programs whose ranks are threads.
//   --ranks=N             how many, or
//   --strict-processes=P  the ranks of run.deterministic = "strict", as if spread over P processes
// All other arguments are GoogleTest's.

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <thread>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/core/instruction_set.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

constexpr double kWorldTimeout_s = 60;  // far beyond any wait of a test; a hang ends as a failure

// GoogleTest hands nothing down to its tests. Each test has a world of its own, so that a rank that
// fails and leaves breaks nothing for the next one.
int num_ranks = 1;
int num_processes = 0;  // of strict ranks; 0: plain thread ranks
thread_local std::unique_ptr<Communicator> the_world;
std::vector<std::thread> other_ranks;
std::optional<testing::ScopedTrace> trace_of_rank_0;
std::vector<std::unique_ptr<Communicator>> handed_out;  // by make_world(), to be taken by rank

std::vector<std::unique_ptr<Communicator>> make_ranks(double timeout_s) {
  if (num_processes == 0) {
    return make_thread_communicators({.num_ranks = num_ranks, .timeout_s = timeout_s});
  }
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (auto& process :
       make_thread_communicators({.num_ranks = num_processes, .timeout_s = timeout_s})) {
    for (auto& rank : make_strict_communicators(std::move(process), timeout_s)) {
      ranks.push_back(std::move(rank));
    }
  }
  return ranks;
}

void run_rank(std::unique_ptr<Communicator> own, const std::function<void()>& body) {
  const testing::ScopedTrace trace(__FILE__, __LINE__, concat("on rank ", own->rank()));
  the_world = std::move(own);
  try {
    body();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "threw " << error.what();
  }
  the_world.reset();  // who still waits for this rank fails at once
}

void parse(int argc, char** argv) {
  constexpr std::string_view kStrict = "--strict-processes=";
  const std::string_view argument = argc == 2 ? argv[1] : "";
  const bool is_strict = argument.starts_with(kStrict);
  const std::string_view flag = is_strict ? kStrict : "--ranks=";
  const std::string_view text = argument.substr(std::min(flag.size(), argument.size()));
  int value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (!argument.starts_with(flag) || error != std::errc{} || stop != text.data() + text.size() ||
      value < 1) {
    throw UsageError(
        "expected --ranks=N or --strict-processes=P, above 0, and arguments of GoogleTest");
  }
  num_processes = is_strict ? value : 0;
  num_ranks = is_strict ? kStrictRanks : value;
}

int run(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  parse(argc, argv);
  int failed = RUN_ALL_TESTS();
  if (testing::UnitTest::GetInstance()->test_to_run_count() == 0) {
    std::fprintf(stderr, "no test was selected\n");
    failed = 1;
  }
  std::printf("%d ranks tested: %s\n", num_ranks, failed == 0 ? "passed" : "FAILED");
  return failed;
}

}  // namespace

Communicator& world() {
  KANTOR_CHECK(the_world != nullptr, "world() is there while the body of a test runs");
  return *the_world;
}

std::unique_ptr<Communicator> make_world(const MpiOptions& options) {
  if (world().rank() == 0) {
    handed_out = make_ranks(options.timeout_s);
  }
  world().barrier("a world was made");
  auto own = std::move(handed_out[static_cast<std::size_t>(world().rank())]);
  world().barrier("the world was taken");
  return own;
}

void OnAllRanks::SetUp() {
  auto ranks = make_ranks(kWorldTimeout_s);
  for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
    other_ranks.emplace_back(run_rank, std::move(ranks[rank]), [this] { TestBody(); });
  }
  trace_of_rank_0.emplace(__FILE__, __LINE__, "on rank 0");
  the_world = std::move(ranks[0]);  // of this thread, which GoogleTest lets run the body next
}

void OnAllRanks::TearDown() {
  the_world.reset();
  for (std::thread& rank : other_ranks) rank.join();
  other_ranks.clear();
  trace_of_rank_0.reset();
}

}  // namespace kantor::test

int main(int argc, char** argv) {
  try {
    kantor::hold_libraries_to_instruction_set();
    return kantor::test::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return 1;
  }
}
