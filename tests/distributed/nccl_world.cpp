#include "tests/distributed/nccl_world.hpp"

#include <cstdlib>
#include <string>

#include "tests/support/world.hpp"

namespace kantor::test {

Communicator& host() {
  // Never destroyed: MPI is finalised by main.
  static Communicator& the_host = *make_mpi_communicator({.timeout_s = 30}).release();
  return the_host;
}

std::unique_ptr<Communicator> make_nccl(const NcclOptions& options) {
  return make_nccl_communicator(host(), options);
}

std::unique_ptr<Communicator> make_world(const MpiOptions& options) {
  return make_nccl({.timeout_s = options.timeout_s});
}

FakeSetting::FakeSetting(const char* variable, int value) : variable_(variable) {
  setenv(variable, std::to_string(value).c_str(), 1);
}
FakeSetting::~FakeSetting() { unsetenv(variable_); }

}  // namespace kantor::test
