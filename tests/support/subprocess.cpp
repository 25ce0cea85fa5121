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

ProcessOutcome run_process(const std::vector<std::string>& command,
                           const std::string& working_directory, double deadline_s) {
  std::vector<std::string> copies = command;
  std::vector<char*> words;
  for (std::string& word : copies) words.push_back(word.data());
  words.push_back(nullptr);

  Pipe out;
  Pipe err;
  const pid_t child = fork();
  if (child < 0) throw std::runtime_error("fork failed");
  if (child == 0) become(words, working_directory, out.write_end, err.write_end);
  setpgid(child, child);  // whichever of the two comes first
  Pipe::close_end(out.write_end);
  Pipe::close_end(err.write_end);

  ProcessOutcome outcome;
  const auto deadline = Clock::now() + std::chrono::duration<double>(deadline_s);
  while (out.read_end >= 0 || err.read_end >= 0) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
    if (left <= 0 && !outcome.timed_out) {
      outcome.timed_out = true;
      kill(-child, SIGKILL);
    }
    pollfd ends[] = {{out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}};
    poll(ends, 2, outcome.timed_out ? 1000 : static_cast<int>(left) + 1);
    if (ends[0].revents != 0) drain(out.read_end, outcome.out);
    if (ends[1].revents != 0) drain(err.read_end, outcome.err);
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return outcome;
}

}  // namespace kantor::test
