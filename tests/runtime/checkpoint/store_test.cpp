#include "runtime/checkpoint/store.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "runtime/core/error.hpp"
#include "tests/runtime/checkpoint/samples.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::checkpoint {
namespace {

using test::Bytes;
using test::sample_snapshot;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

/// A store with steps 100, 200 and 300.
class StoreWithThree : public testing::Test {
 protected:
  StoreWithThree() : store_({.folder = folder_.path().string(), .keep = 3}) {
    for (const int step : {100, 200, 300}) EXPECT_TRUE(store_.save(sample_snapshot(step)).is_saved);
  }
  std::string file(std::int64_t step) const { return folder_.file(file_name_of(step)); }
  /// As after a new start.
  Store::Found found() const { return Store({.folder = folder_.path().string()}).newest_valid(); }
  void damage(std::int64_t step) const {
    Bytes bytes = test::load_bytes(file(step));
    bytes[bytes.size() / 2] ^= std::byte{1};
    test::store_bytes(file(step), bytes);
  }
  /// The newest valid one is of step 200 and 300 is rejected for this reason.
  void expect_rejected(const std::string& reason) const {
    const auto newest = found();
    ASSERT_TRUE(newest.snapshot);
    test::expect_same(*newest.snapshot, sample_snapshot(200));
    EXPECT_EQ(newest.path, file(200));
    ASSERT_EQ(newest.rejected.size(), 1u);
    EXPECT_EQ(newest.rejected[0].path, file(300));
    EXPECT_THAT(newest.rejected[0].reason, AllOf(HasSubstr(file(300)), HasSubstr(reason)));
  }

  test::TemporaryDirectory folder_;
  Store store_;
};

TEST(Store, names_files_by_step) {
  EXPECT_EQ(file_name_of(0), "step-00000000.kantor");
  EXPECT_EQ(file_name_of(1000), "step-00001000.kantor");
  EXPECT_EQ(file_name_of(123456789012), "step-123456789012.kantor");
  for (const std::int64_t step : {0, 1, 99999999, 100000000}) {
    EXPECT_EQ(step_of(file_name_of(step)), step);
  }
  for (const char* name : {"step-1.kantor", "step-000000001.kantor", "step-0000000x.kantor",
                           "step-.kantor", "step-00000001", "step-00000001.kantor.tmp.5",
                           "Step-00000001.kantor", "step-0000001 .kantor", "step--0000001.kantor",
                           "step-99999999999999999999.kantor", "latest", ""}) {
    EXPECT_FALSE(step_of(name)) << name;
  }
}

TEST(Store, without_files_finds_nothing_and_rejects_nothing) {
  const test::TemporaryDirectory folder;
  for (const std::string& path : {folder.path().string(), folder.file("absent")}) {
    const auto found = Store({.folder = path}).newest_valid();
    EXPECT_FALSE(found.snapshot);
    EXPECT_TRUE(found.rejected.empty());
  }
}

TEST(Store, reports_what_it_saved) {
  const test::TemporaryDirectory folder;
  Store store({.folder = folder.file("a/b")});
  store.prepare();
  const SaveReport report = store.save(sample_snapshot(7));
  EXPECT_TRUE(report.is_saved);
  EXPECT_EQ(report.path, folder.file("a/b/step-00000007.kantor"));
  EXPECT_EQ(report.file_bytes, static_cast<std::int64_t>(std::filesystem::file_size(report.path)));
  EXPECT_EQ(report.reason, "");
}

TEST_F(StoreWithThree, finds_the_newest) {
  const auto newest = found();
  ASSERT_TRUE(newest.snapshot);
  test::expect_same(*newest.snapshot, sample_snapshot(300));
  EXPECT_TRUE(newest.rejected.empty());
}

TEST_F(StoreWithThree, keeps_as_many_as_it_is_told) {
  store_.save(sample_snapshot(400));
  EXPECT_THAT(test::names_in(folder_.path()),
              ElementsAre(file_name_of(200), file_name_of(300), file_name_of(400)));
  Store two({.folder = folder_.path().string(), .keep = 2});
  two.save(sample_snapshot(500));
  EXPECT_THAT(test::names_in(folder_.path()), ElementsAre(file_name_of(400), file_name_of(500)));
  two.save(sample_snapshot(500));  // once more: replaced, not counted twice
  EXPECT_THAT(test::names_in(folder_.path()), ElementsAre(file_name_of(400), file_name_of(500)));
}

TEST_F(StoreWithThree, never_removes_what_it_has_just_saved) {
  Store two({.folder = folder_.path().string(), .keep = 2});
  two.save(sample_snapshot(150));  // of a run that was set back by hand
  EXPECT_THAT(test::names_in(folder_.path()), ElementsAre(file_name_of(100), file_name_of(150),
                                                          file_name_of(200), file_name_of(300)));
}

TEST_F(StoreWithThree, goes_by_steps_and_not_by_the_clock) {
  const auto now = std::filesystem::file_time_type::clock::now();
  std::filesystem::last_write_time(file(100), now + std::chrono::hours(24));
  std::filesystem::last_write_time(file(300), now - std::chrono::hours(24));
  EXPECT_EQ(found().path, file(300));
}

TEST_F(StoreWithThree, falls_back_and_names_what_is_damaged) {
  damage(300);
  expect_rejected("is damaged");
}

TEST_F(StoreWithThree, falls_back_from_a_truncated_or_empty_file) {
  std::filesystem::resize_file(file(300), 1000);
  expect_rejected("it is truncated");
  std::filesystem::resize_file(file(300), 0);
  expect_rejected("0 bytes");
}

TEST_F(StoreWithThree, falls_back_from_a_folder_or_a_link_to_nowhere) {
  std::filesystem::remove(file(300));
  std::filesystem::create_directory(file(300));
  expect_rejected("it is a folder");
  std::filesystem::remove(file(300));
  std::filesystem::create_symlink("nowhere", file(300));
  expect_rejected("No such file");
}

TEST_F(StoreWithThree, rejects_swapped_files) {
  std::filesystem::rename(file(300), folder_.file("x"));
  std::filesystem::rename(file(100), file(300));
  std::filesystem::rename(folder_.file("x"), file(100));
  expect_rejected("it holds step 100");
}

TEST_F(StoreWithThree, of_which_none_is_valid_is_a_configuration_error_that_names_each) {
  for (const int step : {100, 200, 300}) damage(step);
  const std::string message = test::message_of<ConfigError>([&] { found(); });
  EXPECT_THAT(message, HasSubstr("none of the 3 checkpoints"));
  for (const int step : {100, 200, 300}) EXPECT_THAT(message, HasSubstr(file_name_of(step)));
  EXPECT_THAT(message, HasSubstr("--out"));
}

TEST(Store, with_only_a_renamed_file_does_not_start_over) {
  const test::TemporaryDirectory folder;
  write_checkpoint(folder.file("best.kantor"), sample_snapshot(5));
  EXPECT_THAT(test::message_of<ConfigError>(
                  [&] { Store({.folder = folder.path().string()}).newest_valid(); }),
              HasSubstr("name is not step-NNNNNNNN.kantor"));
}

TEST_F(StoreWithThree, does_not_count_damaged_files_as_kept) {
  damage(200);
  damage(300);
  Store store({.folder = folder_.path().string(), .keep = 2});
  EXPECT_EQ(store.newest_valid().path, file(100));
  store.save(sample_snapshot(150));
  store.save(sample_snapshot(250));  // past 200: it goes, the two valid ones stay
  EXPECT_THAT(test::names_in(folder_.path()), ElementsAre(file_name_of(150), file_name_of(200),
                                                          file_name_of(250), file_name_of(300)));
  store.save(sample_snapshot(400));
  store.save(sample_snapshot(500));
  EXPECT_THAT(test::names_in(folder_.path()), ElementsAre(file_name_of(400), file_name_of(500)));
}

TEST_F(StoreWithThree, removes_asides_of_dead_processes_only) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  const std::string dead = concat("step-00000400.kantor.tmp.", child);
  const std::string own = concat("step-00000400.kantor.tmp.", ::getpid());
  const std::string living = concat("step-00000400.kantor.tmp.", ::getppid());
  for (const std::string& name :
       {dead, own, living, std::string("notes.tmp.1"), std::string("step-00000400.kantor.tmp.x")}) {
    test::store_bytes(folder_.file(name), test::bytes_of("x"));
  }
  store_.prepare();
  EXPECT_THAT(
      test::names_in(folder_.path()),
      testing::UnorderedElementsAre("notes.tmp.1", file_name_of(100), file_name_of(200),
                                    file_name_of(300), living, "step-00000400.kantor.tmp.x"));
}

}  // namespace
}  // namespace kantor::checkpoint
