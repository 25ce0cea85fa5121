#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "distributed/communicator.hpp"
#include "distributed/thread/rendezvous.hpp"

namespace kantor::thread {

/// One rank of several in this process. A call has two meetings. To the first, each rank brings an
/// offer, and reads those of its peers: all of them see the same offers, and so agree on whether
/// the call fits. Then each does its share of the work straight on the buffers of all, and the
/// second meeting ends when all are done. Only the first one can fail: between the two, ranks run
/// nothing but the loops of this class, so the second needs no deadline, and no rank ever touches a
/// buffer of a call that has ended.
class ThreadCommunicator final : public Communicator {
 public:
  /// What the ranks share.
  struct World;

  ThreadCommunicator(std::shared_ptr<World> world, int rank, double timeout_s);
  ~ThreadCommunicator() override;

  int rank() const override { return rank_; }
  int size() const override;
  int local_rank() const override { return rank_; }
  int local_size() const override { return size(); }
  std::string backend_name() const override { return "thread"; }

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
  /// One rank's arguments of one call.
  struct Offer {
    Verb verb = Verb::barrier;
    ElementType type = ElementType::byte;
    ReduceOp op = ReduceOp::sum;
    int root = 0;
    std::int64_t count = 0;
    const void* in = nullptr;
    void* out = nullptr;
    std::int64_t value = 0;  ///< of agree
    std::string_view what;

    bool fits(const Offer& other) const;
    std::string text() const;
  };
  /// A rank's own corner of the world: it writes, the others read.
  struct alignas(64) Seat {
    /// Call n uses offers[n % 2]: a peer may still read an offer of call n while this rank makes
    /// call n + 1, which is complete only when that peer has arrived too.
    std::array<Offer, 2> offers;
    std::atomic<std::int64_t> number{0};  ///< of the last call it entered
  };

  const Offer& offer_of(int rank, const Call& call) const;
  void post(const Offer& offer, const Call& call);
  void check_fit(const Call& call);
  void leave_call();
  std::string who_is_late(const Call& call) const;
  [[noreturn]] void fail(const Call& call, const std::string& reason);

  std::shared_ptr<World> world_;
  int rank_;
  double timeout_s_;
  std::int64_t last_number_ = 0;
  std::string first_failure_;  // not empty: unusable
};

struct ThreadCommunicator::World {
  explicit World(int num_ranks) : place(num_ranks), seats(static_cast<std::size_t>(num_ranks)) {}

  Rendezvous place;
  std::vector<Seat> seats;  // [P]
};

}  // namespace kantor::thread
