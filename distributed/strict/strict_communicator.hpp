#pragma once

#include <memory>
#include <vector>

#include "distributed/communicator.hpp"

namespace kantor::strict {

/// One of V ranks that are spread evenly over P processes as threads, V fixed. Sums are taken over
/// all V terms in rank order, by every rank for itself, so that no bit depends on P; everything
/// else sees V ranks and computes the same shares wherever they are. Every call gathers first
/// within the process, then, by its first rank (which runs on the thread that may talk to the other
/// processes), between them. That costs V times the memory traffic of a plain sum.
class StrictCommunicator final : public Communicator {
 public:
  /// @param inside  the ranks of this process. @param between the processes; only for rank 0 of
  ///                this process, null on the others. @param num_processes, process of `between`.
  StrictCommunicator(std::unique_ptr<Communicator> inside, std::shared_ptr<Communicator> between,
                     int num_processes, int process);

  int rank() const override { return process_ * inside_->size() + inside_->rank(); }
  int size() const override { return num_processes_ * inside_->size(); }
  int local_rank() const override { return rank(); }
  int local_size() const override { return size(); }
  std::string backend_name() const override { return "strict"; }

  void at_step(std::int64_t step) override;
  /// Only the first rank of a process waits for others; its neighbours fail with it.
  bool take_the_word() override { return !is_first() || between_->take_the_word(); }
  void finish() override;
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
  bool is_first() const { return between_ != nullptr; }
  /// Gives the deadline of the call to those that it makes within and between the processes.
  void share_deadline(const Call& call);
  /// @param[out] all [V, bytes], the parts of all ranks in rank order.
  void gather(std::span<const std::byte> part, std::span<std::byte> all, const Call& call);
  /// Elements [first, first + count) of all ranks' buffers, taken together in rank order.
  void reduce(std::span<const std::byte> mine, void* result, std::int64_t first, std::int64_t count,
              ElementType type, ReduceOp op, const Call& call);

  std::unique_ptr<Communicator> inside_;
  std::shared_ptr<Communicator> between_;
  int num_processes_;
  int process_;
  std::vector<std::byte> process_parts_;  ///< [V / P, part]
  std::vector<std::byte> all_parts_;      ///< [V, buffer]
};

}  // namespace kantor::strict
