#pragma once

#include <cstdint>
#include <vector>

#include "distributed/mpi/mpi_session.hpp"

namespace kantor::mpi {

/// Where a rank is in its sequence of collectives.
struct Progress {
  int rank;             ///< of MPI_COMM_WORLD
  std::int64_t number;  ///< of the last call it entered, 0 = none yet
  int verb;             ///< of that call
  bool is_inside;       ///< still in it
  double unseen_s;      ///< since it last posted or polled
};

/// Two sequences: the calls of this communicator, and those of a back end on top of it.
enum class Lane { own, guest };

/// Two words per rank and lane of this host in shared memory: its place and when it was there. A
/// rank writes its own before, while it waits in, and after each collective (plain stores, no
/// message), so that one that waits in vain can read which ranks have not come, or came and then
/// stopped, even if those are stopped or dead.
class ProgressBoard {
 public:
  /// Collective over `host`. Without shared memory the board stays empty: it only makes errors
  /// clearer, and a run can do without.
  ProgressBoard(const Session& session, const OwnedComm& host, int world_rank);
  ~ProgressBoard();
  ProgressBoard(const ProgressBoard&) = delete;
  ProgressBoard& operator=(const ProgressBoard&) = delete;

  void enter(std::int64_t number, int verb, Lane lane = Lane::own);
  /// Still waiting in the call entered last.
  void poll(Lane lane, double now_s);
  void leave(std::int64_t number, int verb);
  /// True for the first rank of this host to ask; for all of them if the board is empty.
  bool take_the_word();
  /// The ranks of this host, its own among them, ascending.
  const std::vector<int>& ranks_here() const { return world_ranks_; }
  /// The other ranks of this host, in rank order; empty if the board is.
  std::vector<Progress> others(Lane lane) const;

 private:
  void post(std::int64_t number, int verb, bool is_inside, Lane lane);
  void map_slots(const OwnedComm& host);

  const Session& session_;
  int local_rank_;
  std::vector<int> world_ranks_;      // [host.size()]
  std::vector<std::int64_t*> slots_;  // [host.size()], or empty
  MPI_Win window_ = MPI_WIN_NULL;
};

}  // namespace kantor::mpi
