// main() of GoogleTest programs under mpirun.
//   --expect-ranks=N  fail unless mpirun gave N ranks: a test that ran on one is no test of many
//   --results=FILE    rank 0 writes the results of all ranks there (GoogleTest's JSON)
//   --deadline=S      end the program after S seconds, so that nothing hangs (default 240)
// All other arguments are GoogleTest's.

#include <gtest/gtest.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "runtime/core/error.hpp"
#include "runtime/core/instruction_set.hpp"
#include "tests/support/mpi_listeners.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

constexpr double kWorldTimeout_s = 20;

Communicator* the_world = nullptr;  // lives in main; GoogleTest hands nothing down to its tests

struct Arguments {
  int expect_ranks = 0;  // 0: any
  int deadline_s = 240;
  std::string results;
};

int positive_number(std::string_view argument, std::string_view text) {
  int value = 0;
  const auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || stop != text.data() + text.size() || value < 1) {
    throw UsageError(concat("argument ", argument, " needs a number above 0"));
  }
  return value;
}

/// Takes ours out of argv.
Arguments parse(int& argc, char** argv) {
  Arguments result;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    const std::string_view text = argument.substr(argument.find('=') + 1);
    if (argument.starts_with("--expect-ranks=")) {
      result.expect_ranks = positive_number(argument, text);
    } else if (argument.starts_with("--deadline=")) {
      result.deadline_s = positive_number(argument, text);
    } else if (argument.starts_with("--results=")) {
      result.results = text;
    } else {
      argv[kept++] = argv[i];
    }
  }
  argc = kept;
  argv[argc] = nullptr;
  return result;
}

void set_up_googletest(int& argc, char** argv, const Arguments& arguments, Communicator& control) {
  const bool is_first = control.rank() == 0;
  if (is_first && !arguments.results.empty()) {
    GTEST_FLAG_SET(output, "json:" + arguments.results);
  }
  testing::InitGoogleTest(&argc, argv);
  if (argc > 1) throw UsageError(concat("unknown argument ", argv[1]));
  GTEST_FLAG_SET(shuffle, false);  // seeded by the time of day: each rank would get its own order

  auto& listeners = testing::UnitTest::GetInstance()->listeners();
  if (!is_first) {
    delete listeners.Release(listeners.default_result_printer());
    delete listeners.Release(listeners.default_xml_generator());
    listeners.Append(new FailurePrinter(control.rank()));
  }
  listeners.Append(new StepKeeper(control));
}

/// The same answer on all ranks: true if every test passed on every rank.
bool run_tests(Communicator& control, const Arguments& arguments) {
  if (arguments.expect_ranks != 0 && control.size() != arguments.expect_ranks) {
    if (control.rank() == 0) {
      std::fprintf(stderr, "%d ranks came, --expect-ranks=%d\n", control.size(),
                   arguments.expect_ranks);
    }
    return false;
  }
  const auto world = make_world({.timeout_s = kWorldTimeout_s});
  the_world = world.get();
  int failed = RUN_ALL_TESTS();
  the_world = nullptr;
  const auto& result = *testing::UnitTest::GetInstance();
  if (result.test_to_run_count() == 0) {
    if (control.rank() == 0) std::fprintf(stderr, "no test was selected\n");
    failed = 1;
  }
  const bool passed = control.agree(failed, "verdict") == 0;
  if (control.rank() == 0) {
    std::printf("%d ranks tested: %s\n", control.size(), passed ? "passed" : "FAILED");
  }
  return passed;
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  const auto control =
      make_mpi_communicator({.timeout_s = static_cast<double>(arguments.deadline_s)});
  set_up_googletest(argc, argv, arguments, *control);
  arm_deadline(static_cast<unsigned>(arguments.deadline_s), control->rank());
  if (run_tests(*control, arguments)) return 0;
  // Without MPI_Finalize: a failed test may have left requests open.
  std::fflush(nullptr);
  std::_Exit(1);
}

}  // namespace

Communicator& world() {
  KANTOR_CHECK(the_world != nullptr, "world() is there while tests run");
  return *the_world;
}

void OnAllRanks::SetUp() {}
void OnAllRanks::TearDown() {}

}  // namespace kantor::test

int main(int argc, char** argv) {
  try {
    kantor::hold_libraries_to_instruction_set();
    return kantor::test::run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    std::fflush(nullptr);
    std::_Exit(1);
  }
}
