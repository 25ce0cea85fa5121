#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "distributed/communicator.hpp"
#include "distributed/last_resort.hpp"
#include "distributed/mpi/mpi_session.hpp"
#include "distributed/mpi/progress_board.hpp"
#include "distributed/wait_clock.hpp"

namespace kantor::mpi {

/// Host memory over MPI. Every verb is a non-blocking collective that is polled until it is done or
/// the deadline has passed; MPI advances only inside its calls, so polling also does the work.
class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(const MpiOptions& options);
  ~MpiCommunicator() override;

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }
  std::string backend_name() const override { return "mpi"; }

  void show_place(std::int64_t number, int verb) override;
  std::string who_is_late(std::int64_t number, int verb) const override;
  bool take_the_word() override { return board_.take_the_word(); }
  void abort(int exit_code) override;

 protected:
  void do_all_reduce(void* buffer, std::int64_t count, ElementType type, ReduceOp op,
                     const Call& call) override;
  void do_all_gather(const void* part, void* all, std::int64_t part_count, ElementType type,
                     const Call& call) override;
  void do_reduce_scatter(const void* all, void* part, std::int64_t part_count, ElementType type,
                         const Call& call) override;
  void do_broadcast(void* buffer, std::int64_t count, ElementType type, int root,
                    const Call& call) override;
  void do_barrier(const Call& call) override;
  std::int64_t do_agree(std::int64_t value, const Call& call) override;

 private:
  /// One verb from its first MPI call to its end: one deadline for all its pieces, and the board
  /// kept up to date. Refuses to start on a communicator that failed before.
  class InFlight {
   public:
    InFlight(MpiCommunicator& owner, const Call& call);
    ~InFlight();
    InFlight(const InFlight&) = delete;
    InFlight& operator=(const InFlight&) = delete;

    /// Waits for the request that `code` came with.
    void finish(int code, const char* function, MPI_Request& request);

   private:
    void check(int code, const char* function);
    bool is_done(MPI_Request& request);
    [[noreturn]] void expire();

    MpiCommunicator& owner_;
    const Call& call_;
    double deadline_s_;
    WaitClock clock_;
    LastResort::Watch watch_;
  };
  /// Memory of ours that MPI reads and writes. After a failure it is left to MPI for good: the
  /// request is still open, and a late peer's message may come in.
  struct Staging {
    std::int64_t agreement = 0;
    std::vector<std::byte> pieces;  // [size, piece]
  };

  bool say_farewell() noexcept;
  std::byte* stage(std::int64_t count, ElementType type);
  MPI_Op mpi_op(ReduceOp op, ElementType type) const;
  std::int64_t piece_of_parts(std::int64_t part_count) const;
  [[noreturn]] void fail(const Call& call, const std::string& reason);
  std::string who_is_late(Lane lane, std::int64_t number, int verb) const;

  double timeout_s_;
  std::int64_t max_count_;
  std::int64_t last_number_ = 0;
  std::string first_failure_;  // not empty: unusable
  std::string failed_call_;
  std::unique_ptr<Staging> staging_ = std::make_unique<Staging>();

  LastResort last_resort_;
  std::optional<LastResort::Watch> bounds_;  // while MPI starts and ends, which cannot be polled
  Session session_;                          // before, thus destroyed after, every handle
  OwnedComm data_;
  OwnedComm control_;  // barriers and agreements, apart from the data's messages
  OwnedComm host_;
  int rank_;
  int size_;
  int local_rank_;
  int local_size_;
  MaxOp<float> max_float32_{session_};
  MaxOp<double> max_float64_{session_};
  ProgressBoard board_;
};

}  // namespace kantor::mpi
