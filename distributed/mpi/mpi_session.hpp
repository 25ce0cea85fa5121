#pragma once

// Shared by the files of this folder; nothing outside includes it, because mpi.h stays in here.

#include <mpi.h>

#include <string>

namespace kantor::mpi {

/// "MPI_Ibcast: MPI_ERR_TRUNCATE: message truncated".
std::string error_text(int code, const char* function);

/// For calls outside of a collective. @throws CommError unless code is MPI_SUCCESS.
void check(int code, const char* function);

/// MPI itself: initialised here unless it already was, in which case it belongs to someone else and
/// stays. Handles ask may_call() before they free themselves.
class Session {
 public:
  /// @throws ConfigError if MPI was finalised before or does not allow worker threads beside MPI.
  Session();
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// From now on nothing is freed or finalised: a peer may be gone and would be waited for.
  void abandon() { is_abandoned_ = true; }
  /// False once abandoned, while an exception unwinds, and after MPI_Finalize.
  bool may_call() const;

 private:
  int exceptions_before_;
  bool is_owner_ = false;
  bool is_abandoned_ = false;
};

/// A duplicate of MPI_COMM_WORLD, or the ranks of this host, that returns its errors.
class OwnedComm {
 public:
  static OwnedComm duplicate_of_world(const Session& session);
  static OwnedComm ranks_of_this_host(const Session& session);
  ~OwnedComm();
  OwnedComm(OwnedComm&& other) noexcept;
  OwnedComm& operator=(OwnedComm&&) = delete;

  MPI_Comm get() const { return comm_; }
  int rank() const;
  int size() const;

 private:
  OwnedComm(const Session& session, MPI_Comm comm);
  const Session& session_;
  MPI_Comm comm_;
};

/// Maximum of float or double with one answer for any order of the operands: a NaN wins, and +0
/// beats -0. MPI_MAX leaves both open, and ranks could end with different bits.
template <class T>
class MaxOp {
 public:
  explicit MaxOp(const Session& session);
  ~MaxOp();
  MaxOp(const MaxOp&) = delete;
  MaxOp& operator=(const MaxOp&) = delete;

  MPI_Op get() const { return op_; }

 private:
  const Session& session_;
  MPI_Op op_ = MPI_OP_NULL;
};

}  // namespace kantor::mpi
