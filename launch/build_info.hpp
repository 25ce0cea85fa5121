#pragma once

// What this binary was built from; the values are filled in by CMake at every build.

#include <string>

namespace kantor::launch {

struct BuildInfo {
  std::string version;   ///< "0.1.0"
  std::string revision;  ///< git describe, "unknown" outside a checkout
  std::string compiler;  ///< "GNU 12.2.0"
  std::string build_type;
  std::string mpi;  ///< "mpirun (Open MPI) 4.1.4"
};

BuildInfo build_info();

/// "kantor 0.1.0 (revision c6adf29, GNU 12.2.0, Release)".
std::string version_line();

}  // namespace kantor::launch
