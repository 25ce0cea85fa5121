#include "runtime/checkpoint/heartbeat_lock.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <future>

#include "runtime/checkpoint/lock_holder.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "tests/runtime/checkpoint/faulty_files.hpp"
#include "tests/support/subprocess.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::checkpoint {
namespace {

constexpr double kPatience_s = 60;  // far beyond what a loaded machine takes
constexpr const char* kElsewhere = "pid 7 on host a\nstarted 1 in another/kernel\n";

class Heartbeat : public testing::Test {
 protected:
  std::unique_ptr<HeartbeatLock> take(
      double beat_s = HeartbeatLock::kBeat_s, std::function<void()> on_loss = [] { FAIL(); }) {
    holder_ = {};
    return HeartbeatLock::take(path(), files_, holder_, std::move(on_loss), beat_s);
  }
  bool is_held() { return HeartbeatLock::is_held(path(), files_); }
  std::string path() const { return folder_.path().string(); }
  std::string file(const std::string& name) const { return folder_.file(name); }
  bool exists(const std::string& name) const { return std::filesystem::exists(file(name)); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(file(name)) << text;
  }
  void make_old(const std::string& name, double age_s) const {
    const timespec then = {.tv_sec = std::time(nullptr) - static_cast<std::time_t>(age_s),
                           .tv_nsec = 0};
    const timespec times[] = {then, then};
    ASSERT_EQ(::utimensat(AT_FDCWD, file(name).c_str(), times, 0), 0);
  }
  double age_s(const std::string& name) const {
    struct stat facts {};
    EXPECT_EQ(::stat(file(name).c_str(), &facts), 0);
    return static_cast<double>(std::time(nullptr) - facts.st_mtim.tv_sec);
  }

  test::TemporaryDirectory folder_;
  data::FileSystem files_;
  HeartbeatLock::Holder holder_;
};

TEST_F(Heartbeat, is_had_by_one_until_that_ends) {
  EXPECT_FALSE(is_held());
  for (const std::string name : {"LOCK.1", "LOCK.2"}) {
    const auto lock = take();
    ASSERT_NE(lock, nullptr);
    EXPECT_TRUE(is_held());
    EXPECT_EQ(take(), nullptr);
    EXPECT_EQ(holder_.name, concat("pid ", ::getpid(), " on host ", host_name()));
    EXPECT_TRUE(holder_.is_here);
    EXPECT_TRUE(exists(name));
  }
  EXPECT_FALSE(is_held());
  EXPECT_FALSE(exists("LOCK.1"));
}

TEST_F(Heartbeat, of_a_killed_process_of_this_host_is_free_at_once) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t pid = ::fork();
  if (pid == 0) {
    const auto lock = take();
    if (lock == nullptr || ::write(ends[1], "x", 1) != 1) ::_exit(1);
    while (true) ::pause();
  }
  ::close(ends[1]);
  char ready = 0;
  EXPECT_EQ(::read(ends[0], &ready, 1), 1);
  ::close(ends[0]);
  make_old("LOCK.1", 2 * HeartbeatLock::kStale_s);  // stopped, but known to be alive
  EXPECT_TRUE(is_held());
  EXPECT_EQ(take(), nullptr);
  EXPECT_TRUE(holder_.is_here);
  ::kill(pid, SIGKILL);
  ASSERT_EQ(::waitpid(pid, nullptr, 0), pid);
  EXPECT_FALSE(is_held());
  EXPECT_NE(take(), nullptr);
}

TEST_F(Heartbeat, of_a_later_process_of_the_same_number_is_another) {
  std::string text = own_lock_text();
  ASSERT_EQ(life_of(text), Life::alive);
  text.replace(text.find("started ") + 8, 1, "x");
  EXPECT_EQ(life_of(text), Life::dead);
}

TEST_F(Heartbeat, of_another_host_is_free_once_it_is_old) {
  for (const std::string text : {kElsewhere, "", "\x01\x02", "pid x on host a"}) {
    write("LOCK.3", text);
    make_old("LOCK.3", HeartbeatLock::kStale_s / 2);
    EXPECT_TRUE(is_held());
    EXPECT_EQ(take(), nullptr);
    EXPECT_FALSE(holder_.is_here);
    EXPECT_GE(holder_.age_s, HeartbeatLock::kStale_s / 2 - 1);  // whole seconds of the clock
    EXPECT_EQ(holder_.name.empty(), false);
    make_old("LOCK.3", 2 * HeartbeatLock::kStale_s);
    EXPECT_FALSE(is_held());
    EXPECT_NE(take(), nullptr);
    EXPECT_TRUE(exists("LOCK.4"));
    EXPECT_FALSE(exists("LOCK.3"));
    std::filesystem::remove(file("LOCK.4"));
  }
}

TEST_F(Heartbeat, keeps_the_file_young) {
  const auto lock = take(0.01);
  make_old("LOCK.1", 2 * HeartbeatLock::kStale_s);
  EXPECT_TRUE(
      test::becomes_true([&] { return age_s("LOCK.1") < HeartbeatLock::kStale_s; }, kPatience_s));
}

TEST_F(Heartbeat, notices_that_another_has_taken_over) {
  for (const bool is_removed : {false, true}) {
    std::promise<void> lost;
    const auto lock = take(0.01, [&] { lost.set_value(); });
    ASSERT_NE(lock, nullptr);
    if (is_removed) std::filesystem::remove(file("LOCK.3"));
    if (!is_removed) write("LOCK.2", kElsewhere);
    EXPECT_EQ(lost.get_future().wait_for(std::chrono::duration<double>(kPatience_s)),
              std::future_status::ready);
    if (!is_removed) make_old("LOCK.2", 2 * HeartbeatLock::kStale_s);
  }
}

TEST_F(Heartbeat, that_is_old_is_taken_by_one_of_two_that_saw_it_so) {
  write("LOCK.1", kElsewhere);
  make_old("LOCK.1", 2 * HeartbeatLock::kStale_s);
  std::unique_ptr<HeartbeatLock> first;
  test::FaultyFiles files;
  files.after = [&](const std::string& call) {
    if (call == "read" && !first) first = take();
  };
  HeartbeatLock::Holder holder;
  const auto second = HeartbeatLock::take(path(), files, holder, [] { FAIL(); });
  EXPECT_NE(first, nullptr);
  EXPECT_EQ(second, nullptr);
  EXPECT_TRUE(holder.is_here);
}

TEST_F(Heartbeat, is_not_taken_by_a_number_that_has_come_and_gone) {
  write("LOCK.1", kElsewhere);
  make_old("LOCK.1", 2 * HeartbeatLock::kStale_s);
  std::unique_ptr<HeartbeatLock> third;
  test::FaultyFiles files;
  files.after = [&](const std::string& call) {
    if (call != "read" || third) return;
    EXPECT_NE(take(), nullptr);  // LOCK.2, given back at once
    third = take();
  };
  HeartbeatLock::Holder holder;
  const auto late = HeartbeatLock::take(path(), files, holder, [] { FAIL(); });
  EXPECT_NE(third, nullptr);
  EXPECT_EQ(late, nullptr);
  EXPECT_TRUE(exists("LOCK.3"));
  EXPECT_FALSE(exists("LOCK.2"));
}

TEST_F(Heartbeat, survives_interrupted_calls_and_leaves_nothing_after_a_failed_one) {
  for (int fault_at = 1;; ++fault_at) {
    test::FaultyFiles files;
    files.interrupts = true;
    files.fault = test::FaultyFiles::Fault::fail;
    files.fault_at = fault_at;
    HeartbeatLock::Holder holder;
    try {
      const auto lock = HeartbeatLock::take(path(), files, holder, [] { FAIL(); });
      EXPECT_NE(lock, nullptr) << fault_at;
    } catch (const IoError&) {
    }
    if (static_cast<int>(files.calls.size()) < fault_at) break;
    EXPECT_FALSE(is_held()) << fault_at;
  }
}

}  // namespace
}  // namespace kantor::checkpoint
