#include "runtime/checkpoint/heartbeat_lock.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>
#include <string_view>
#include <utility>

#include "runtime/checkpoint/lock_holder.hpp"
#include "runtime/core/error.hpp"

namespace kantor::checkpoint {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "LOCK.";
constexpr int kMostAttempts = 100;

std::string path_of(const std::string& folder, long long number) {
  return concat(folder, "/", kPrefix, number);
}

/// All n of files LOCK.<n>. @throws IoError.
std::vector<long long> numbers_in(const std::string& folder) {
  std::vector<long long> numbers;
  std::error_code failure;
  for (fs::directory_iterator at(folder, failure), end; !failure && at != end;
       at.increment(failure)) {
    const std::string name = at->path().filename().string();
    if (!name.starts_with(kPrefix)) continue;
    long long number = 0;
    const char* last = name.data() + name.size();
    const auto [stop, error] = std::from_chars(name.data() + kPrefix.size(), last, number);
    if (error == std::errc() && stop == last && number > 0) numbers.push_back(number);
  }
  if (failure) throw IoError(concat("cannot read the folder ", folder, ": ", failure.message()));
  return numbers;
}

long long newest_in(const std::string& folder) {
  const std::vector<long long> numbers = numbers_in(folder);
  return numbers.empty() ? 0 : *std::max_element(numbers.begin(), numbers.end());
}

double seconds_of(const timespec& time) {
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

double clock_of_this_host() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return seconds_of(now);
}

/// What the file system takes for now: the clocks of hosts may differ by more than kStale_s.
double clock_of(const std::string& folder, data::FileSystem& files) {
  const std::string path = concat(folder, "/LOCK.clock.", ::getpid());
  const data::Descriptor file(files, path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  struct stat facts {};
  const bool is_known =
      file.is_open() && ::futimens(file.get(), nullptr) == 0 && ::fstat(file.get(), &facts) == 0;
  if (file.is_open()) files.unlink(path.c_str());
  return is_known ? seconds_of(facts.st_mtim) : clock_of_this_host();
}

/// Who has the lock of that file, if anybody.
std::optional<HeartbeatLock::Holder> holder_of(const std::string& path, double now_s,
                                               data::FileSystem& files) {
  const data::Descriptor file(files, path, O_RDONLY);
  struct stat facts {};
  if (!file.is_open() || ::fstat(file.get(), &facts) != 0) {
    if (errno == ENOENT || errno == ESTALE) return std::nullopt;
    throw IoError(concat("cannot open ", path, ": ", std::strerror(errno)));
  }
  if (facts.st_mtim.tv_sec == 0) return std::nullopt;  // given back
  const std::string text = read_lock(files, file.get());
  const Life life = life_of(text);
  HeartbeatLock::Holder holder{.name = holder_name(text),
                               .age_s = std::max(0.0, now_s - seconds_of(facts.st_mtim)),
                               .is_here = life == Life::alive};
  const bool is_stale = life == Life::unknown && holder.age_s > HeartbeatLock::kStale_s;
  if (life == Life::dead || is_stale) return std::nullopt;
  return holder;
}

}  // namespace

std::unique_ptr<HeartbeatLock> HeartbeatLock::take(const std::string& folder,
                                                   data::FileSystem& files, Holder& holder,
                                                   std::function<void()> on_loss, double beat_s) {
  long long newest = newest_in(folder);
  for (int i = 0; i < kMostAttempts; ++i) {
    if (newest > 0) {
      const auto found = holder_of(path_of(folder, newest), clock_of(folder, files), files);
      if (found) return holder = *found, nullptr;
    }
    const std::string path = path_of(folder, newest + 1);
    auto file = std::make_unique<data::Descriptor>(files, path, O_RDWR | O_CREAT | O_EXCL, 0666);
    if (file->is_open()) {
      try {
        write_lock(files, file->get(), own_lock_text(), path);
      } catch (const IoError&) {
        files.unlink(path.c_str());
        throw;
      }
      // The next ones may have come and its file gone since the look at the folder.
      if (const long long last = newest_in(folder); last > newest + 1) {
        files.unlink(path.c_str());
        newest = last;
        continue;
      }
      for (const long long number : numbers_in(folder)) {
        if (number <= newest) files.unlink(path_of(folder, number).c_str());
      }
      return std::unique_ptr<HeartbeatLock>(
          new HeartbeatLock(folder, newest + 1, std::move(file), std::move(on_loss), beat_s));
    }
    if (errno != EEXIST) throw IoError(concat("cannot create ", path, ": ", std::strerror(errno)));
    // Another was faster; a network file system may still list the folder as it was.
    newest = std::max(newest + 1, newest_in(folder));
  }
  throw IoError(concat("cannot lock ", folder, ": ", path_of(folder, newest),
                       " and all before it were taken just now"));
}

bool HeartbeatLock::is_held(const std::string& folder, data::FileSystem& files) {
  const long long newest = newest_in(folder);
  return newest > 0 && holder_of(path_of(folder, newest), clock_of_this_host(), files);
}

HeartbeatLock::HeartbeatLock(std::string folder, long long number,
                             std::unique_ptr<data::Descriptor> file, std::function<void()> on_loss,
                             double beat_s)
    : folder_(std::move(folder)),
      number_(number),
      file_(std::move(file)),
      on_loss_(std::move(on_loss)),
      beat_s_(beat_s),
      thread_([this] { beat(); }) {}

HeartbeatLock::~HeartbeatLock() {
  {
    const std::lock_guard lock(mutex_);
    is_over_ = true;
  }
  ended_.notify_one();
  thread_.join();
  constexpr std::array<timespec, 2> kFree{};
  ::futimens(file_->get(), kFree.data());  // needs no room on a disk that may be full
}

void HeartbeatLock::beat() {
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, std::chrono::duration<double>(beat_s_), [&] { return is_over_; })) {
    if (is_lost()) return on_loss_();
    ::futimens(file_->get(),
               nullptr);  // a failure may pass; else others see it, and then is_lost()
  }
}

bool HeartbeatLock::is_lost() const {
  struct stat facts {};
  const bool is_gone = ::fstat(file_->get(), &facts) == 0 ? facts.st_nlink == 0 : errno == ESTALE;
  return is_gone || ::access(path_of(folder_, number_ + 1).c_str(), F_OK) == 0;
}

}  // namespace kantor::checkpoint
