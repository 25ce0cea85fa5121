#pragma once

#include <memory>

#include "distributed/communicator.hpp"

namespace kantor::test {

/// All ranks of this test program: those of mpirun under kantor_mpi_test, else (linked with
/// kantor_test_self_world) one. Every rank runs the same tests in the same order.
Communicator& world();

/// A further communicator of the same ranks and the same back end. Collective.
std::unique_ptr<Communicator> make_world(const MpiOptions& options = {});

}  // namespace kantor::test
