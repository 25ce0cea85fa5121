// LD_PRELOAD for programs under mpirun: KANTOR_STUCK="MPI_Finalize:1:stop" lets rank 1 stop its
// process in that call, "...:hang" lets the call never return. For waits that cannot be polled.

#include <mpi.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <string>

namespace {

void maybe_stick(const std::string& call) {
  const char* wanted = std::getenv("KANTOR_STUCK");
  const char* rank = std::getenv("OMPI_COMM_WORLD_RANK");
  if (wanted == nullptr || rank == nullptr) return;
  if (wanted == call + ":" + rank + ":stop") raise(SIGSTOP);
  while (wanted == call + ":" + rank + ":hang") pause();
}

}  // namespace

extern "C" {

int MPI_Init_thread(int* argc, char*** argv, int required, int* provided) {
  maybe_stick("MPI_Init_thread");
  return PMPI_Init_thread(argc, argv, required, provided);
}

int MPI_Finalize() {
  maybe_stick("MPI_Finalize");
  return PMPI_Finalize();
}

int MPI_Abort(MPI_Comm comm, int code) {
  maybe_stick("MPI_Abort");
  return PMPI_Abort(comm, code);
}

int MPI_Test(MPI_Request* request, int* flag, MPI_Status* status) {
  maybe_stick("MPI_Test");
  return PMPI_Test(request, flag, status);
}

}  // extern "C"
