#pragma once

#include <gtest/gtest.h>

#include <memory>

#include "distributed/communicator.hpp"

namespace kantor::test {

/// All ranks of this test program: those of mpirun under kantor_mpi_test, threads under
/// kantor_thread_test, else (linked with kantor_test_self_world) one. Every rank runs the same
/// tests in the same order.
Communicator& world();

/// A further communicator of the same ranks and the same back end. Collective.
std::unique_ptr<Communicator> make_world(const MpiOptions& options = {});

/// The fixture of tests that run on every back end. Where ranks are threads, SetUp() calls the body
/// of the test on all ranks but the first, each on a thread of its own with a world() of its own,
/// and TearDown() waits for them; elsewhere both do nothing. The ranks share the fixture object.
class OnAllRanks : public testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

 private:
  void TestBody() override = 0;  // named here, so that SetUp() may call it
};

}  // namespace kantor::test
