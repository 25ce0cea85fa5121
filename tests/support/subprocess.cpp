#include "tests/support/subprocess.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <stdexcept>
#include <thread>
#include <utility>

namespace kantor::test {
namespace {

using Clock = std::chrono::steady_clock;

struct Pipe {
  int read_end = -1;
  int write_end = -1;
  Pipe() {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
    read_end = ends[0];
    write_end = ends[1];
  }
  ~Pipe() {
    close_end(read_end);
    close_end(write_end);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  static void close_end(int& end) {
    if (end >= 0) close(end);
    end = -1;
  }
};

[[noreturn]] void become(std::vector<char*> words, const std::string& working_directory, int out,
                         int err) {
  const int empty = open("/dev/null", O_RDONLY);
  const bool is_ready = setpgid(0, 0) == 0 && chdir(working_directory.c_str()) == 0 &&
                        dup2(empty, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2;
  if (is_ready) execvp(words[0], words.data());
  _exit(127);
}

/// Appends what can be read; closes the end at its end.
void drain(int& end, std::string& text) {
  std::array<char, 4096> buffer;
  const ssize_t got = read(end, buffer.data(), buffer.size());
  if (got > 0) {
    text.append(buffer.data(), static_cast<std::size_t>(got));
  } else if (got == 0 || errno != EINTR) {
    Pipe::close_end(end);
  }
}

}  // namespace

Process::Process(const std::vector<std::string>& command, const std::string& working_directory) {
  std::vector<std::string> copies = command;
  std::vector<char*> words;
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);

  Pipe out;
  Pipe err;
  pid_ = fork();
  if (pid_ < 0) throw std::runtime_error("fork failed");
  if (pid_ == 0) become(words, working_directory, out.write_end, err.write_end);
  setpgid(pid_, pid_);  // whichever of the two comes first
  out_ = std::exchange(out.read_end, -1);
  err_ = std::exchange(err.read_end, -1);
}

Process::~Process() {
  if (pid_ > 0) wait(0);
  Pipe::close_end(out_);
  Pipe::close_end(err_);
}

void Process::send(int signal_number) const {
  if (pid_ <= 0 || kill(pid_, signal_number) != 0) throw std::runtime_error("kill failed");
}

bool Process::says(const std::string& text, double deadline_s) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(deadline_s);
  while (outcome_.err.find(text) == std::string::npos) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0 || !read_some(left)) break;
  }
  return outcome_.err.find(text) != std::string::npos;
}

bool Process::read_some(std::chrono::milliseconds timeout) {
  if (out_ < 0 && err_ < 0) return false;
  pollfd ends[] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  if (poll(ends, 2, static_cast<int>(timeout.count())) == 0) return false;
  if (ends[0].revents != 0) drain(out_, outcome_.out);
  if (ends[1].revents != 0) drain(err_, outcome_.err);
  return true;
}

ProcessOutcome Process::wait(double deadline_s) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(deadline_s);
  constexpr std::chrono::seconds kGrace{10};  // for what was not of its group and holds the output
  while (out_ >= 0 || err_ >= 0) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (left.count() <= 0 && !outcome_.timed_out) {
      outcome_.timed_out = true;
      kill(-pid_, SIGKILL);
    }
    if (outcome_.timed_out && left < -kGrace) break;
    read_some(outcome_.timed_out ? std::chrono::milliseconds(1000) : left);
  }
  int status = 0;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  outcome_.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome_;
}

ProcessOutcome run_process(const std::vector<std::string>& command,
                           const std::string& working_directory, double deadline_s) {
  return Process(command, working_directory).wait(deadline_s);
}

bool becomes_true(const std::function<bool()>& condition, double deadline_s) {
  const auto deadline = Clock::now() + std::chrono::duration<double>(deadline_s);
  while (!condition()) {
    if (Clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace kantor::test
