#include "runtime/checkpoint/run_lock.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "tests/runtime/checkpoint/faulty_files.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::checkpoint {
namespace {

using test::message_of;
using testing::AllOf;
using testing::HasSubstr;

/// Another process that holds the lock until it is killed.
class Holder {
 public:
  explicit Holder(const std::string& folder) {
    int ends[2];
    if (::pipe(ends) != 0) throw std::runtime_error("pipe");
    pid_ = ::fork();
    if (pid_ == 0) {
      const RunLock lock(folder);
      if (::write(ends[1], "x", 1) != 1) ::_exit(1);
      while (true) ::pause();
    }
    ::close(ends[1]);
    char ready = 0;
    EXPECT_EQ(::read(ends[0], &ready, 1), 1);  // the lock is held now
    ::close(ends[0]);
  }
  ~Holder() { kill(); }
  void kill() {
    if (pid_ <= 0) return;
    ::kill(pid_, SIGKILL);
    EXPECT_EQ(::waitpid(pid_, nullptr, 0), pid_);
    pid_ = 0;
  }
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = 0;
};

TEST(RunLock, held_by_another_process_is_refused_by_name_until_that_is_killed) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path().string();
  EXPECT_FALSE(RunLock::is_held(path));
  Holder holder(path);
  EXPECT_TRUE(RunLock::is_held(path));
  const std::string message = message_of<ConfigError>([&] { RunLock lock(path); });
  EXPECT_THAT(message, HasSubstr(path));
  EXPECT_THAT(message, HasSubstr(concat("pid ", holder.pid(), " on host ", host_name())));
  EXPECT_TRUE(RunLock::is_held(path));
  holder.kill();
  EXPECT_FALSE(RunLock::is_held(path));
  const RunLock lock(path);
  EXPECT_TRUE(lock.is_by_kernel());
  EXPECT_TRUE(RunLock::is_held(path));
}

TEST(RunLock, ends_with_its_object_and_can_be_taken_again) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path().string();
  for (int i = 0; i < 2; ++i) {
    const RunLock lock(path);
    EXPECT_TRUE(RunLock::is_held(path));
    EXPECT_THROW(RunLock{path}, ConfigError);
  }
  EXPECT_FALSE(RunLock::is_held(path));
}

TEST(RunLock, names_an_unknown_holder_where_the_file_says_nothing) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.path().string();
  const RunLock lock(path);
  std::ofstream(folder.file("LOCK")) << "\x01\x02";
  EXPECT_THAT(message_of<ConfigError>([&] { RunLock second(path); }), HasSubstr("(unknown)"));
}

/// A file system that knows no locks.
struct NoLocks : data::FileSystem {
  explicit NoLocks(int error) : error_number(error) {}
  int lock(int, int) override { return errno = error_number, -1; }
  int error_number;
};

TEST(RunLock, is_a_heartbeat_where_the_file_system_has_none) {
  for (const int error_number : {ENOSYS, EOPNOTSUPP, ENOLCK}) {
    const test::TemporaryDirectory folder;
    const std::string path = folder.path().string();
    NoLocks files(error_number);
    {
      const RunLock lock(path, files);
      EXPECT_FALSE(lock.is_by_kernel());
      EXPECT_THAT(message_of<ConfigError>([&] { RunLock second(path, files); }),
                  HasSubstr(concat("pid ", ::getpid(), " on host ", host_name())));
    }
    const RunLock again(path, files);
    std::ofstream(folder.file("LOCK.9")) << "pid 7 on host a\n";
    EXPECT_THAT(message_of<ConfigError>([&] { RunLock second(path, files); }),
                AllOf(HasSubstr("pid 7 on host a"), HasSubstr("its lock ends 60 s after")));
  }
}

TEST(RunLock, survives_interrupted_calls) {
  const test::TemporaryDirectory folder;
  test::FaultyFiles files;
  files.interrupts = true;
  const RunLock lock(folder.path().string(), files);
  EXPECT_TRUE(RunLock::is_held(folder.path().string()));
}

TEST(RunLock, that_cannot_be_tried_is_an_io_error) {
  const test::TemporaryDirectory folder;
  EXPECT_THROW(RunLock(folder.file("absent")), IoError);
  EXPECT_FALSE(RunLock::is_held(folder.file("absent")));
  test::FaultyFiles files;
  files.fault = test::FaultyFiles::Fault::fail;
  files.fault_at = 2;
  EXPECT_THROW(RunLock(folder.path().string(), files), IoError);
}

}  // namespace
}  // namespace kantor::checkpoint
