#pragma once

// Many processes as one: the verbs every back end implements. Torch-free.
// Every wait has a deadline: that of the back end, or three times as long as this rank has worked
// since its last call, if that is longer. A collective that fails or does not finish throws
// CommError, which names the operation, its number and size, and this rank. Counts are equal on all
// ranks.

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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

/// Verbs on buffers of float, double, std::int32_t, std::int64_t, std::byte (no reductions), of any
/// size including 0. Every rank makes the same calls in the same order with the same counts. A
/// mistake that this rank can see alone (sizes that do not fit, a root out of range, overlapping
/// buffers) throws ShapeError or ValueError before anything is sent, so that the communicator stays
/// usable. After a CommError it is not: every later call throws at once, and the buffers of the
/// failed call may still be written to for as long as the process lives.
///
/// A verb on device memory may return as soon as it is on the caller's stream (nccl does): what
/// follows on that stream finds it done, the host has to synchronize() before it waits for the
/// stream. Its error comes then, or with a later call, and names it.
class Communicator {
 public:
  Communicator() = default;
  virtual ~Communicator() = default;
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int local_rank() const = 0;  ///< among the ranks of this host
  virtual int local_size() const = 0;
  virtual std::string backend_name() const = 0;  ///< "self", "thread", "mpi", "nccl"
  /// Whether buffers may lie in the memory of this rank\'s GPU; host memory is always taken.
  virtual bool takes_device_memory() const { return false; }

  /// In place; the same bits on all ranks (a NaN is a NaN on all ranks; its payload is not kept).
  /// A NaN on any rank is the maximum. `what` names the payload in errors ("gradients").
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

  /// Waits until all verbs so far are done. Local. @throws CommError, of the first that is not.
  void synchronize();
  /// The same, until `is_enough` if that comes before: for a wait of the caller's own that may
  /// stand behind verbs. With none under way it returns at once.
  void synchronize_until(const std::function<bool()>& is_enough);

  const CommCounts& counts() const { return counts_; }

  /// Names the step in the errors of the calls from here on; 0: outside of any.
  virtual void at_step(std::int64_t step) { step_ = step; }

  /// Collective, the last call of a run that went well: waits until all is delivered and closes.
  /// @throws CommError.
  virtual void finish() {}

  /// For a back end on top of this one, whose calls have numbers of their own: shows the peers
  /// where this rank is (again while it waits there: who does not move is late too), and tells
  /// which of them have not come there.
  virtual void show_place(std::int64_t /*number*/, int /*verb*/) {}
  virtual std::string who_is_late(std::int64_t /*number*/, int /*verb*/) const {
    return "which rank is late cannot be seen from here";
  }

  /// For ranks that report the same failure: true for the first of this host to ask.
  virtual bool take_the_word() { return true; }

  /// For a back end on top of this one, which knows how long its ranks have worked: the deadline
  /// of the calls from here on; none: its own measure.
  void take_deadline(std::optional<double> seconds) { given_deadline_s_ = seconds; }

  /// Ends all ranks at once with this exit code; for a rank that cannot reach the next agreement.
  [[noreturn]] virtual void abort(int exit_code) = 0;

 protected:
  enum class Verb { all_reduce, all_gather, reduce_scatter, broadcast, barrier, agree };
  static const char* name(Verb verb);

  struct Call {
    Verb verb;
    std::string_view what;
    std::int64_t number;  ///< 1, 2, .. over all verbs of this communicator
    std::int64_t bytes;
    std::int64_t step = 0;  ///< 0: outside of any
    double deadline_s = 0;  ///< the deadline, where that is longer than the back end's own
    /// "all_reduce #418 (gradients, 8.0 MB) at step 139"
    std::string text() const;
  };
  /// The verbs proper, for checked arguments. A back end may be asked for 0 elements.
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
  virtual void do_synchronize(const std::function<bool()>& /*is_enough*/) {}

 private:
  class Counted;  // one call: its number, its counter, its time

  /// For a call that begins now: what takes one rank long may take a busier one thrice as long.
  double deadline_s(double now_s) const {
    constexpr double kSlowest = 3;
    return given_deadline_s_.value_or(last_end_s_ == 0 ? 0 : kSlowest * (now_s - last_end_s_));
  }
  static void check_reducible(ElementType type, Verb verb, std::string_view what);
  static void check_overlap(const void* a, std::size_t a_bytes, const void* b, std::size_t b_bytes,
                            Verb verb, std::string_view what);
  void check_sizes(std::size_t all, std::size_t part, Verb verb, std::string_view what) const;
  void check_root(int root, std::string_view what) const;

  CommCounts counts_;
  std::int64_t num_calls_ = 0;
  double last_end_s_ = 0;  ///< of the last call
  std::optional<double> given_deadline_s_;
  std::int64_t step_ = 0;
};

/// One process.
std::unique_ptr<Communicator> make_self_communicator();

struct ThreadOptions {
  int num_ranks = 1;
  double timeout_s = 60;  ///< how long one collective waits for ranks that have not come
};
/// Ranks that are threads of this process, on the CPU: [num_ranks], one for each thread. Sums are
/// taken in rank order, so that results do not depend on scheduling. A call succeeds or fails on
/// all ranks; calls that differ in verb, counts, type or root fail on all. Destruction waits for
/// nobody, and lets peers that wait for this rank fail at once.
/// @throws ConfigError, ValueError.
std::vector<std::unique_ptr<Communicator>> make_thread_communicators(const ThreadOptions& options);

struct MpiOptions {
  double timeout_s = 60;       ///< deadline of one collective
  std::int64_t max_count = 0;  ///< elements per MPI call; 0 = the MPI int limit (tests lower it)
};
/// All ranks of MPI_COMM_WORLD; initialises MPI if need be and finalises it when destroyed. After a
/// CommError, or while an exception unwinds, destruction leaves MPI as it is, so that it never
/// waits for a peer: the process should then leave by abort() or _exit().
/// Collective. @throws ConfigError, ValueError, CommError.
std::unique_ptr<Communicator> make_mpi_communicator(const MpiOptions& options);

/// Ranks of run.deterministic = "strict", whatever the number of processes.
inline constexpr int kStrictRanks = 8;
/// This process's share of them, one for each thread, the first for the thread that `between` is
/// used on. @param between the processes, 1, 2, 4 or 8. @throws ConfigError.
std::vector<std::unique_ptr<Communicator>> make_strict_communicators(
    std::unique_ptr<Communicator> between, double timeout_s);

/// What the launcher announced through the environment, for a refusal to run P singletons on one
/// directory: num_ranks > 1 while MPI_Comm_size is 1 means that MPI and the launcher do not fit.
struct LaunchEnvironment {
  int num_ranks = 1;
  bool under_launcher = false;  ///< started by mpirun or srun
  std::string source;           ///< which variable said so
};
/// The first that is set decides:
/// 1. OMPI_COMM_WORLD_SIZE (Open MPI's mpirun), 2. PMI_SIZE (MPICH, Intel MPI, Cray),
/// 3. SLURM_STEP_NUM_TASKS, or SLURM_NTASKS where Slurm is too old to set it, but only inside a
/// step
///    started by srun: SLURM_PROCID is set and SLURM_STEP_ID is the number of an ordinary step. The
///    shell of an sbatch script or of salloc also sees SLURM_NTASKS and, in sbatch, SLURM_PROCID=0,
///    yet it is one process: it has no SLURM_STEP_ID, or one of Slurm's reserved numbers.
/// An empty variable counts as unset. @throws ConfigError if the deciding one is not a count.
LaunchEnvironment launch_environment();
/// The same for any environment: `lookup` answers like getenv.
LaunchEnvironment launch_environment(const std::function<const char*(const char*)>& lookup);

/// This process's number as its launcher says, before MPI is up; 0 without a launcher.
int announced_rank();

}  // namespace kantor

#include "distributed/communicator_inline.hpp"
