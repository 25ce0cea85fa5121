#pragma once

#include <string>

namespace kantor {

/// The MPI library of this process; MPI need not be up.
struct MpiLibrary {
  std::string version;   ///< "Open MPI v4.1.4"
  std::string compiled;  ///< "Open MPI v4.1.4": what kantor was compiled against; "" if unknown
  bool is_other_series = false;  ///< the two differ in the first number
  std::string path;
};
MpiLibrary mpi_library();

}  // namespace kantor
