#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "runtime/checkpoint/store.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/atomic_file.hpp"
#include "tests/runtime/checkpoint/faulty_files.hpp"
#include "tests/runtime/checkpoint/samples.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::checkpoint {
namespace {

using test::FaultyFiles;
using test::sample_snapshot;
using testing::ElementsAre;
using testing::HasSubstr;

std::int64_t newest_step(const std::string& folder) {
  const auto found = Store({.folder = folder}).newest_valid();
  return found.snapshot ? found.snapshot->metadata.step : -1;
}

TEST(StoreFaults, on_a_full_disk_leave_the_newest_file_and_count_until_there_is_space) {
  const test::TemporaryDirectory folder;
  auto owned = std::make_unique<FaultyFiles>();
  FaultyFiles& files = *owned;
  Store store({.folder = folder.file("c"), .keep = 2}, std::move(owned));
  store.prepare();
  EXPECT_TRUE(store.save(sample_snapshot(2)).is_saved);
  files.free_bytes = 1000;  // enough to begin with
  for (const int times : {1, 2, 3}) {
    const SaveReport report = store.save(sample_snapshot(2 + times));
    EXPECT_FALSE(report.is_saved);
    EXPECT_EQ(report.num_given_up, 0);
    EXPECT_EQ(report.consecutive_failures, times);
    EXPECT_THAT(report.reason, HasSubstr("No space left on device"));
    EXPECT_THAT(test::names_in(folder.file("c")), ElementsAre("step-00000002.kantor"));
    EXPECT_EQ(newest_step(folder.file("c")), 2);
  }
  files.free_bytes = 1'000'000;
  const SaveReport report = store.save(sample_snapshot(6));
  EXPECT_TRUE(report.is_saved) << report.reason;
  EXPECT_EQ(report.consecutive_failures, 0);
  EXPECT_EQ(newest_step(folder.file("c")), 6);
  EXPECT_THAT(test::names_in(folder.file("c")),
              ElementsAre("step-00000002.kantor", "step-00000006.kantor"));
}

TEST(StoreFaults, on_a_disk_full_of_old_files_give_up_the_oldest_but_no_valid_one_for_a_damaged) {
  for (const bool is_newest_damaged : {false, true}) {
    const test::TemporaryDirectory folder;
    const std::string path = folder.file("c");
    auto owned = std::make_unique<FaultyFiles>();
    FaultyFiles& files = *owned;
    Store store({.folder = path, .keep = 4}, std::move(owned));
    store.prepare();
    for (const int step : {1, 2, 3}) EXPECT_TRUE(store.save(sample_snapshot(step)).is_saved);
    std::unique_ptr<Store> second;  // knows of no file yet that it is valid
    if (is_newest_damaged) {
      test::store_bytes(path + "/step-00000003.kantor", test::bytes_of("x"));
      test::store_bytes(path + "/step-00000002.kantor", test::bytes_of("x"));
      owned = std::make_unique<FaultyFiles>();
      owned->free_bytes = 10;
      second = std::make_unique<Store>(StoreConfig{.folder = path, .keep = 4}, std::move(owned));
    }
    files.free_bytes = 10;
    const SaveReport report = (second ? *second : store).save(sample_snapshot(4));
    EXPECT_EQ(report.is_saved, !is_newest_damaged) << report.reason;
    EXPECT_EQ(report.num_given_up, is_newest_damaged ? 0 : 1);
    EXPECT_EQ(newest_step(path), is_newest_damaged ? 1 : 4);
    EXPECT_EQ(test::names_in(path).size(), 3u);
  }
}

TEST(StoreFaults, of_a_device_without_space_are_reported) {
  const test::TemporaryDirectory folder;
  Store store({.folder = folder.path().string()});
  EXPECT_TRUE(store.save(sample_snapshot(1)).is_saved);
  std::filesystem::create_symlink("/dev/full", folder.file("step-00000002.kantor"));
  const SaveReport report = store.save(sample_snapshot(2));
  EXPECT_FALSE(report.is_saved);
  EXPECT_THAT(report.reason, HasSubstr("No space left on device"));
  EXPECT_EQ(newest_step(folder.path().string()), 1);
}

TEST(StoreFaults, of_a_limit_on_file_sizes_are_reported_and_end_with_it) {
  const test::TemporaryDirectory folder;
  Store store({.folder = folder.path().string()});
  EXPECT_TRUE(store.save(sample_snapshot(1)).is_saved);
  const pid_t child = ::fork();
  if (child == 0) {  // limits and signals of a process of its own
    ::signal(SIGXFSZ, SIG_IGN);
    rlimit limit{};
    ::getrlimit(RLIMIT_FSIZE, &limit);
    const rlim_t before = limit.rlim_cur;
    limit.rlim_cur = 1000;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const SaveReport refused = store.save(sample_snapshot(2));
    limit.rlim_cur = before;
    ::setrlimit(RLIMIT_FSIZE, &limit);
    const bool is_refused = !refused.is_saved && refused.consecutive_failures == 1 &&
                            refused.reason.find("File too large") != std::string::npos &&
                            newest_step(folder.path().string()) == 1;
    const bool is_saved = store.save(sample_snapshot(3)).is_saved;
    ::_exit(is_refused && is_saved ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  EXPECT_EQ(newest_step(folder.path().string()), 3);
}

TEST(StoreFaults, on_removal_do_not_undo_a_save) {
  const test::TemporaryDirectory folder;
  Store store({.folder = folder.path().string(), .keep = 2});
  store.save(sample_snapshot(2));
  store.save(sample_snapshot(3));
  std::filesystem::create_directory(folder.file("step-00000001.kantor"));  // unlink refuses it
  const SaveReport report = store.save(sample_snapshot(4));
  EXPECT_TRUE(report.is_saved);
  EXPECT_EQ(report.consecutive_failures, 0);
  EXPECT_THAT(report.reason, HasSubstr("cannot remove"));
  EXPECT_EQ(newest_step(folder.path().string()), 4);
}

TEST(StoreFaults, in_the_folder_are_errors_before_the_first_step) {
  const test::TemporaryDirectory folder;
  test::store_bytes(folder.file("file"), test::bytes_of("x"));
  EXPECT_THAT(test::message_of<IoError>([&] { Store({.folder = folder.file("file")}).prepare(); }),
              HasSubstr("cannot create the folder"));
  for (const int error_number : {EROFS, EACCES, ENOSPC}) {
    auto files = std::make_unique<FaultyFiles>();
    files->fault = FaultyFiles::Fault::fail;
    files->fault_at = 1;
    files->error_number = error_number;
    Store store({.folder = folder.file("c")}, std::move(files));
    const auto prepare = [&] { store.prepare(); };
    EXPECT_THAT(error_number == ENOSPC ? test::message_of<data::NoSpaceError>(prepare)
                                       : test::message_of<IoError>(prepare),
                HasSubstr("probe.kantor"));
  }
  EXPECT_THROW(Store({.folder = folder.file("c"), .keep = 1}), ValueError);
}

TEST(StoreFaults, of_a_caller_are_thrown) {
  const test::TemporaryDirectory folder;
  Store store({.folder = folder.path().string()});
  Snapshot snapshot = sample_snapshot(1);
  snapshot.tensors[0].data.clear();
  EXPECT_THROW(store.save(snapshot), ValueError);
}

}  // namespace
}  // namespace kantor::checkpoint
