#pragma once

#include <gtest/gtest.h>

#include "distributed/communicator.hpp"

namespace kantor::test {

/// Prints the failures of a rank that prints nothing else, with its number.
class FailurePrinter : public testing::EmptyTestEventListener {
 public:
  explicit FailurePrinter(int rank) : rank_(rank) {}
  void OnTestStart(const testing::TestInfo& test) override { test_ = &test; }
  void OnTestPartResult(const testing::TestPartResult& result) override;

 private:
  int rank_;
  const testing::TestInfo* test_ = nullptr;  // UnitTest's own would take a lock that it holds
};

/// Keeps the ranks on the same test, on a communicator that no test uses, and lets a test fail on
/// rank 0, whose results are written, if it failed on any rank.
class StepKeeper : public testing::EmptyTestEventListener {
 public:
  explicit StepKeeper(Communicator& control) : control_(control) {}
  void OnTestEnd(const testing::TestInfo& test) override;

 private:
  Communicator& control_;
};

/// Ends the program, naming rank and test, when it has run for this long. [s]
void arm_deadline(unsigned deadline_s, int rank);

}  // namespace kantor::test
