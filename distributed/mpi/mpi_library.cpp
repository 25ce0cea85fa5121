#include "distributed/mpi/mpi_library.hpp"

#include <dlfcn.h>
#include <mpi.h>

#include <array>

#include "runtime/core/error.hpp"

namespace kantor {

MpiLibrary mpi_library() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING + 1> text{};
  int length = 0;
  MpiLibrary library;
  if (MPI_Get_library_version(text.data(), &length) == MPI_SUCCESS) library.version = text.data();
  library.version = library.version.substr(0, library.version.find_first_of(",\n"));
#ifdef OMPI_MAJOR_VERSION
  library.compiled =
      concat("Open MPI v", OMPI_MAJOR_VERSION, ".", OMPI_MINOR_VERSION, ".", OMPI_RELEASE_VERSION);
  library.is_other_series =
      !library.version.starts_with(concat("Open MPI v", OMPI_MAJOR_VERSION, "."));
#endif
  Dl_info info{};
  if (dladdr(reinterpret_cast<const void*>(&MPI_Get_library_version), &info) != 0 &&
      info.dli_fname != nullptr) {
    library.path = info.dli_fname;
  }
  return library;
}

}  // namespace kantor
