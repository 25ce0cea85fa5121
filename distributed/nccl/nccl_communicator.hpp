#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "distributed/last_resort.hpp"
#include "distributed/nccl/device_resources.hpp"
#include "distributed/nccl/nccl.hpp"
#include "distributed/nccl/nccl_handle.hpp"

namespace kantor::nccl {

/// The verbs over NCCL; barriers, agreements and the end of all ranks over the host communicator.
/// A verb is put on a stream with an event behind it. One on device memory returns then, and is
/// looked at by synchronize(), by the next call that waits, and once 64 are under way; others are
/// waited for. Looking is polling: event, NCCL's asynchronous error, deadline.
class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(Communicator& host, const NcclOptions& options);
  ~NcclCommunicator() override;

  int rank() const override { return host_.rank(); }
  int size() const override { return host_.size(); }
  int local_rank() const override { return host_.local_rank(); }
  int local_size() const override { return host_.local_size(); }
  std::string backend_name() const override { return "nccl"; }
  bool takes_device_memory() const override { return true; }

  void at_step(std::int64_t step) override {
    Communicator::at_step(step);
    host_.at_step(step);
  }
  void finish() override;
  bool take_the_word() override { return host_.take_the_word(); }
  void abort(int exit_code) override { host_.abort(exit_code); }

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
  void do_synchronize(const std::function<bool()>& is_enough) override;

 private:
  /// One NCCL call: buffers anywhere, and how to start it on buffers in device memory.
  struct Operation {
    const char* function;
    const void* input;
    std::size_t input_bytes;
    void* output;
    std::size_t output_bytes;
    std::function<ncclResult_t(const void* from, void* to, cudaStream_t stream)> start;
  };
  class Transfer;  // an operation that is waited for
  class Flight;    // the verbs that are not

  void bring_up();
  void warm_up();
  Operation sum_or_max(void* buffer, std::int64_t count, ElementType type, ReduceOp op) const;
  void carry_out(const Operation& operation, const Call& call);
  void enqueue(const Operation& operation, const Call& call);
  /// Polls until it is done, the deadline of the call under way. @throws DeviceFault.
  void wait_for(const std::function<bool()>& is_done) const;
  template <class Real, class Key>
  void max_of_reals(void* buffer, std::int64_t count, ElementType key_type, const Call& call);

  bool is_on_device(const void* buffer) const;
  cudaStream_t stream_for(bool has_device_buffer) const;
  void copy_device_to_host(void* to, const void* from, std::size_t bytes);
  void copy_host_to_device(void* to, const void* from, std::size_t bytes);

  /// The frame of every verb: refuses after a failure, and turns what goes wrong into CommError.
  void run(const Call& call, const std::function<void()>& body);
  /// The frame of every wait for other ranks: `call` is in the error, or the verb before it that
  /// holds it up.
  void name_failure(const Call& call, const std::function<void()>& body);
  double deadline_s(const Call& call) const;

  void synchronize_all();
  void synchronize_oldest(const std::function<bool()>& is_enough);
  const Call& first_unfinished(const Call& otherwise) noexcept;
  void guard();

  void refuse_after_failure(const std::function<std::string()>& what) const;
  void give_up(const Call& call);
  [[noreturn]] void fail(const Call& call, const std::string& reason);

  Communicator& host_;
  struct {
    std::int64_t number;
    int verb;
    double deadline_s;
  } place_{};  // of the call under way
  const NcclOptions options_;
  LastResort last_resort_;
  int device_ = 0;
  Resources resources_;
  std::unique_ptr<Flight> flight_;
  /// From a call that left verbs under way to the next: in between the program may wait for the
  /// GPU out of our sight (a full launch queue is enough), and no poll would see that it hangs.
  std::optional<LastResort::Watch> guard_;
  NcclHandle handle_;
  const int exceptions_before_;
  std::string first_failure_;  // not empty: unusable
  bool is_finished_ = false;
};

}  // namespace kantor::nccl
