#include <csignal>
#include <cstdlib>
#include <string>
#include <vector>

#include "launch/program.hpp"

namespace {

/// Defaults that make a plain `mpirun -np P kantor ...` behave; whatever the user has set stays.
void set_environment_defaults() {
  const auto set = [](const char* name, const char* value) {
    static_cast<void>(setenv(name, value, 0));  // fails only without memory; nothing depends on it
  };
  set("OMP_NUM_THREADS", "1");
  set("OMPI_MCA_mpi_yield_when_idle", "1");  // a waiting rank must not take a working one's core
  set("OMPI_MCA_btl_vader_single_copy_mechanism", "none");  // forbidden in most containers
}

}  // namespace

int main(int argc, char** argv) {
  set_environment_defaults();
  // A file-size limit and a pipe that nobody reads are writes that fail, not the end of a run.
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  return kantor::launch::run_program(std::vector<std::string>(argv, argv + argc));
}
