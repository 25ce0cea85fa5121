#include "tests/support/world.hpp"

namespace kantor::test {

std::unique_ptr<Communicator> make_world(const MpiOptions& options) {
  return make_mpi_communicator(options);
}

}  // namespace kantor::test
