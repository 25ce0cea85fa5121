#pragma once

// Many processes as one: the verbs every back end implements. Torch-free.
// Every wait has a deadline; a collective that fails or does not finish throws CommError, which
// names the operation, its number and size, and this rank. Counts are equal on all ranks.

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace kantor {

enum class ReduceOp { sum, max };
enum class ElementType { float32, float64, int32, int64, byte };

template <class T>
constexpr ElementType element_type();

/// What went over the wire so far; tests count with it.
struct CommCounts {
  std::int64_t all_reduce = 0;
  std::int64_t all_gather = 0;
  std::int64_t reduce_scatter = 0;
  std::int64_t broadcast = 0;
  std::int64_t barrier = 0;
  std::int64_t agree = 0;
  std::int64_t bytes = 0;  ///< payload handed in by this rank
  double wait_s = 0;       ///< time inside collectives
};

class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int local_rank() const = 0;  ///< among the ranks of this host
  virtual int local_size() const = 0;
  virtual std::string backend_name() const = 0;  ///< "self", "mpi"

  /// In place; the same bits on all ranks. `what` names the payload in errors ("gradients").
  template <class T>
  void all_reduce(std::span<T> buffer, ReduceOp op, std::string_view what);
  /// all = the ranks' parts in rank order; all.size() == size() * part.size().
  template <class T>
  void all_gather(std::span<const T> part, std::span<T> all, std::string_view what);
  /// part = sum over ranks of this rank's slice; all.size() == size() * part.size().
  template <class T>
  void reduce_scatter(std::span<const T> all, std::span<T> part, std::string_view what);
  template <class T>
  void broadcast(std::span<T> buffer, int root, std::string_view what);
  void barrier(std::string_view what);
  /// Host-side agreement on a small integer: the maximum over ranks.
  std::int64_t agree(std::int64_t value, std::string_view what);

  const CommCounts& counts() const { return counts_; }

  /// Ends all ranks at once with this exit code; for a rank that cannot reach the next agreement.
  [[noreturn]] virtual void abort(int exit_code) = 0;

 protected:
  struct Call {
    const char* verb;
    std::string_view what;
    std::int64_t number;
    std::int64_t bytes;
  };
  virtual void do_all_reduce(void* buffer, std::int64_t count, ElementType type, ReduceOp op,
                             const Call& call) = 0;
  virtual void do_all_gather(const void* part, void* all, std::int64_t part_count, ElementType type,
                             const Call& call) = 0;
  virtual void do_reduce_scatter(const void* all, void* part, std::int64_t part_count,
                                 ElementType type, const Call& call) = 0;
  virtual void do_broadcast(void* buffer, std::int64_t count, ElementType type, int root,
                            const Call& call) = 0;
  virtual void do_barrier(const Call& call) = 0;
  virtual std::int64_t do_agree(std::int64_t value, const Call& call) = 0;

 private:
  CommCounts counts_;
};

/// One process.
std::unique_ptr<Communicator> make_self_communicator();

struct MpiOptions {
  double timeout_s = 60;       ///< deadline of one collective
  std::int64_t max_count = 0;  ///< elements per MPI call; 0 = the MPI int limit (tests lower it)
};
/// All ranks of MPI_COMM_WORLD; initialises MPI if need be and finalises it when destroyed (not
/// after an error).
std::unique_ptr<Communicator> make_mpi_communicator(const MpiOptions& options);

/// What the launcher announced through the environment.
struct LaunchEnvironment {
  int num_ranks = 1;            ///< from OMPI_COMM_WORLD_SIZE, PMIX / SLURM_NTASKS (srun), ...
  bool under_launcher = false;  ///< started by mpirun or srun
  std::string source;           ///< which variable said so
};
LaunchEnvironment launch_environment();

}  // namespace kantor

#include "distributed/communicator_inline.hpp"
