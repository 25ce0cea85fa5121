#include "tests/support/mpi_listeners.hpp"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstring>

#include "runtime/core/error.hpp"

namespace kantor::test {
namespace {

// A signal handler reaches nothing but statics. The text is made beforehand, test by test.
std::array<char, 512> deadline_text;
int deadline_rank = 0;

void describe_for_deadline(const char* suite, const char* test) {
  std::snprintf(deadline_text.data(), deadline_text.size(),
                "[rank %d] the deadline of the test program has passed in %s.%s\n", deadline_rank,
                suite, test);
}

void on_deadline(int) {
  const auto written =
      write(STDERR_FILENO, deadline_text.data(), std::strlen(deadline_text.data()));
  _exit(written < 0 ? 125 : 124);
}

class DeadlineText : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& test) override {
    describe_for_deadline(test.test_suite_name(), test.name());
  }
};

}  // namespace

void FailurePrinter::OnTestPartResult(const testing::TestPartResult& result) {
  if (!result.failed()) return;
  const char* file = result.file_name() == nullptr ? "unknown file" : result.file_name();
  std::fprintf(stderr, "[rank %d] %s:%d: failure in %s.%s\n%s\n", rank_, file, result.line_number(),
               test_ == nullptr ? "" : test_->test_suite_name(),
               test_ == nullptr ? "" : test_->name(), result.message());
  std::fflush(stderr);
}

void StepKeeper::OnTestEnd(const testing::TestInfo& test) {
  const bool failed_here = test.result()->Failed();
  try {
    const bool failed = control_.agree(failed_here ? 1 : 0, test.name()) != 0;
    if (failed && !failed_here && control_.rank() == 0) {
      ADD_FAILURE() << "passed on rank 0, failed on another rank: see its lines";
    }
  } catch (const Error& error) {  // must not leave a listener
    std::fprintf(stderr, "[rank %d] %s.%s: %s\n", control_.rank(), test.test_suite_name(),
                 test.name(), error.what());
    control_.abort(1);
  }
}

void arm_deadline(unsigned deadline_s, int rank) {
  deadline_rank = rank;
  describe_for_deadline("set-up", "none");
  testing::UnitTest::GetInstance()->listeners().Append(new DeadlineText);
  struct sigaction action {};
  action.sa_handler = on_deadline;
  if (sigaction(SIGALRM, &action, nullptr) != 0)
    throw Error(ExitCode::internal, "sigaction failed");
  alarm(deadline_s);
}

}  // namespace kantor::test
