#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <functional>

#include "runtime/checkpoint/store.hpp"
#include "runtime/core/error.hpp"
#include "tests/runtime/checkpoint/faulty_files.hpp"
#include "tests/runtime/checkpoint/samples.hpp"
#include "tests/support/temporary_directory.hpp"

// A save that fails, or whose process dies, at each of its calls.

namespace kantor::checkpoint {
namespace {

using test::FaultyFiles;
using test::sample_snapshot;
using testing::ElementsAre;

constexpr int kFewestCalls =
    15;  // of a start and a save; fewer would mean that calls bypass the layer

/// Folders that hold steps 100 and 200, without the cost of writing them each time.
class InterruptedSave : public testing::Test {
 protected:
  InterruptedSave() {
    Store store({.folder = root_.file("original"), .keep = 2});
    store.prepare();
    EXPECT_TRUE(store.save(sample_snapshot(100)).is_saved);
    EXPECT_TRUE(store.save(sample_snapshot(200)).is_saved);
  }
  StoreConfig fresh() {
    std::filesystem::remove_all(root_.file("copy"));
    std::filesystem::copy(root_.file("original"), root_.file("copy"));
    return {.folder = root_.file("copy"), .keep = 2};
  }
  test::TemporaryDirectory root_;
};

std::unique_ptr<FaultyFiles> faulty(FaultyFiles::Fault fault, int call) {
  auto files = std::make_unique<FaultyFiles>();
  files->fault = fault;
  files->fault_at = call;
  return files;
}

/// The exit code of a process that does this.
int outcome_of(const std::function<void()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    action();
    ::_exit(0);
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/// The step of the newest valid checkpoint, which must be one that was saved, bit by bit.
std::int64_t newest_step(const StoreConfig& config) {
  const auto found = Store(config).newest_valid();
  if (!found.snapshot || !found.rejected.empty()) return -1;
  test::expect_same(*found.snapshot, sample_snapshot(found.snapshot->metadata.step));
  return found.snapshot->metadata.step;
}

/// The run goes on: nothing is left of the interruption.
void expect_next_save_works(const StoreConfig& config) {
  Store store(config);
  store.prepare();
  EXPECT_TRUE(store.save(sample_snapshot(300)).is_saved);
  EXPECT_THAT(test::names_in(config.folder),
              ElementsAre("step-00000200.kantor", "step-00000300.kantor"));
  EXPECT_EQ(newest_step(config), 300);
}

class KilledSave : public InterruptedSave,
                   public testing::WithParamInterface<FaultyFiles::Fault> {};

TEST_P(KilledSave, leaves_a_valid_checkpoint_at_every_call) {
  bool has_ended = false;
  bool saw_new = false;
  int call = 0;
  while (!has_ended) {
    ++call;
    const StoreConfig config = fresh();
    const int code = outcome_of([&] {
      auto files = faulty(GetParam(), call);
      files->longest = 2000;  // several writes, killed in between
      Store store(config, std::move(files));
      store.prepare();
      store.save(sample_snapshot(300));
    });
    has_ended = code == 0;
    ASSERT_TRUE(has_ended || code == FaultyFiles::kKilled) << code;
    const std::int64_t step = newest_step(config);
    ASSERT_TRUE(step == 300 || (step == 200 && !saw_new)) << "call " << call << " left " << step;
    saw_new = step == 300;
    expect_next_save_works(config);
    ASSERT_FALSE(HasFailure()) << "call " << call;
  }
  EXPECT_TRUE(saw_new);
  EXPECT_GT(call, kFewestCalls);
}

INSTANTIATE_TEST_SUITE_P(Faults, KilledSave,
                         testing::Values(FaultyFiles::Fault::kill_before,
                                         FaultyFiles::Fault::kill_after));

TEST_F(InterruptedSave, that_fails_at_any_call_is_reported_and_leaves_a_valid_checkpoint) {
  int num_failures = 0;
  bool is_hit = true;
  for (int call = 1; is_hit; ++call) {
    const StoreConfig config = fresh();
    auto files = faulty(FaultyFiles::Fault::fail, call);
    FaultyFiles& layer = *files;
    Store store(config, std::move(files));
    const SaveReport report = store.save(sample_snapshot(300));
    is_hit = static_cast<int>(layer.calls.size()) >= call;
    const std::int64_t step = newest_step(config);
    ASSERT_TRUE(step == 300 || (step == 200 && !report.is_saved)) << "call " << call;
    EXPECT_EQ(report.consecutive_failures, report.is_saved ? 0 : 1);
    const bool is_unlink = is_hit && layer.calls[static_cast<std::size_t>(call) - 1] == "unlink";
    EXPECT_EQ(report.is_saved, report.reason.empty() || is_unlink) << report.reason;
    num_failures += report.is_saved ? 0 : 1;
    layer.fault = FaultyFiles::Fault::none;
    EXPECT_TRUE(store.save(sample_snapshot(300)).is_saved);  // the same process tries again
    expect_next_save_works(config);
    ASSERT_FALSE(HasFailure()) << "call " << call;
  }
  EXPECT_GE(num_failures, 8);  // open, write, fsync, close, open, read, read, rename, ..
}

}  // namespace
}  // namespace kantor::checkpoint
