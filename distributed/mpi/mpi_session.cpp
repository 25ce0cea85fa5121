#include "distributed/mpi/mpi_session.hpp"

#include <array>
#include <exception>

#include "distributed/larger.hpp"
#include "runtime/core/error.hpp"

namespace kantor::mpi {

std::string error_text(int code, const char* function) {
  std::array<char, MPI_MAX_ERROR_STRING + 1> text{};
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) {
    return concat(function, ": unknown MPI error ", code);
  }
  return concat(function, ": ", text.data());
}

void check(int code, const char* function) {
  if (code != MPI_SUCCESS)
    throw CommError(concat("MPI set-up failed: ", error_text(code, function)));
}

Session::Session() : exceptions_before_(std::uncaught_exceptions()) {
  int is_finalized = 0;
  check(MPI_Finalized(&is_finalized), "MPI_Finalized");
  if (is_finalized != 0) {
    throw ConfigError(
        "MPI was finalised before in this process and cannot start again; keep one communicator "
        "for the whole run");
  }
  int is_initialized = 0;
  check(MPI_Initialized(&is_initialized), "MPI_Initialized");
  int provided = MPI_THREAD_SINGLE;
  if (is_initialized == 0) {
    check(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    is_owner_ = true;
    check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  } else {
    check(MPI_Query_thread(&provided), "MPI_Query_thread");
  }
  if (provided < MPI_THREAD_FUNNELED) {
    throw ConfigError(
        concat("MPI grants thread level ", provided, ", but at least ", MPI_THREAD_FUNNELED,
               " (MPI_THREAD_FUNNELED) is needed for worker threads; use an MPI built with threads "
               "and do not lower OMPI_MPI_THREAD_LEVEL"));
  }
}

Session::~Session() {
  if (is_owner_ && may_call()) MPI_Finalize();  // nothing useful can be done about its failure
}

bool Session::may_call() const {
  if (is_abandoned_ || std::uncaught_exceptions() > exceptions_before_) return false;
  int is_finalized = 0;
  return MPI_Finalized(&is_finalized) == MPI_SUCCESS && is_finalized == 0;
}

OwnedComm::OwnedComm(const Session& session, MPI_Comm comm) : session_(session), comm_(comm) {}

OwnedComm::OwnedComm(OwnedComm&& other) noexcept : session_(other.session_), comm_(other.comm_) {
  other.comm_ = MPI_COMM_NULL;
}

OwnedComm::~OwnedComm() {
  if (comm_ != MPI_COMM_NULL && session_.may_call()) MPI_Comm_free(&comm_);
}

OwnedComm OwnedComm::duplicate_of_world(const Session& session) {
  MPI_Comm comm = MPI_COMM_NULL;
  check(MPI_Comm_dup(MPI_COMM_WORLD, &comm), "MPI_Comm_dup");
  OwnedComm owned(session, comm);
  check(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return owned;
}

OwnedComm OwnedComm::ranks_of_this_host(const Session& session) {
  MPI_Comm comm = MPI_COMM_NULL;
  check(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &comm),
        "MPI_Comm_split_type");
  OwnedComm owned(session, comm);
  check(MPI_Comm_set_errhandler(comm, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return owned;
}

int OwnedComm::rank() const {
  int rank = 0;
  check(MPI_Comm_rank(comm_, &rank), "MPI_Comm_rank");
  return rank;
}

int OwnedComm::size() const {
  int size = 0;
  check(MPI_Comm_size(comm_, &size), "MPI_Comm_size");
  return size;
}

namespace {

/// The signature that MPI_Op_create wants.
template <class T>
void reduce_larger(void* in, void* in_out, int* count, MPI_Datatype*) {
  const T* a = static_cast<const T*>(in);
  T* b = static_cast<T*>(in_out);
  for (int i = 0; i < *count; ++i) b[i] = larger(a[i], b[i]);
}

}  // namespace

template <class T>
MaxOp<T>::MaxOp(const Session& session) : session_(session) {
  check(MPI_Op_create(&reduce_larger<T>, /*commute=*/1, &op_), "MPI_Op_create");
}

template <class T>
MaxOp<T>::~MaxOp() {
  if (op_ != MPI_OP_NULL && session_.may_call()) MPI_Op_free(&op_);
}

template class MaxOp<float>;
template class MaxOp<double>;

}  // namespace kantor::mpi
