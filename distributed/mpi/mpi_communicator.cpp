#include <sched.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <thread>

#include "distributed/communicator.hpp"
#include "distributed/mpi/mpi_session.hpp"
#include "distributed/mpi/progress_board.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {
namespace {

constexpr std::int64_t kMaxCount = std::numeric_limits<int>::max();  // MPI counts are int
// Beyond the count limit, gathers and scatters go piece by piece through a scratch of this size.
constexpr std::int64_t kMaxScratchCount = std::int64_t{1} << 24;

// A wait first spins, for peers that are a few microseconds away; then it yields, because ranks may
// share cores; a long wait sleeps for about 1% of the time waited so far.
constexpr int kNumSpins = 100;
constexpr double kSleepAfter_s = 0.01;
constexpr double kLongestSleep_s = 2e-4;

const void* at(const void* buffer, std::int64_t index, ElementType type) {
  return static_cast<const std::byte*>(buffer) + index * element_bytes(type);
}
void* at(void* buffer, std::int64_t index, ElementType type) {
  return static_cast<std::byte*>(buffer) + index * element_bytes(type);
}

MPI_Datatype mpi_type(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return MPI_FLOAT;
    case ElementType::float64:
      return MPI_DOUBLE;
    case ElementType::int32:
      return MPI_INT32_T;
    case ElementType::int64:
      return MPI_INT64_T;
    case ElementType::byte:
      break;
  }
  return MPI_BYTE;
}

void check_options(const MpiOptions& options) {
  if (!(options.timeout_s > 0) || !std::isfinite(options.timeout_s)) {
    throw ConfigError(concat("run.timeout_s is ", format_number(options.timeout_s),
                             "; expected the seconds that one collective may take, above 0"));
  }
  if (options.max_count < 0 || options.max_count > kMaxCount) {
    throw ValueError(
        concat("MpiOptions::max_count is ", options.max_count, "; expected 0 to ", kMaxCount));
  }
}

/// Host memory over MPI. Every verb is a non-blocking collective that is polled until it is done or
/// the deadline has passed; MPI advances only inside its calls, so polling also does the work.
class MpiCommunicator final : public Communicator {
 public:
  explicit MpiCommunicator(const MpiOptions& options)
      : timeout_s_(options.timeout_s),
        max_count_(options.max_count == 0 ? kMaxCount : options.max_count),
        data_(mpi::OwnedComm::duplicate_of_world(session_)),
        control_(mpi::OwnedComm::duplicate_of_world(session_)),
        host_(mpi::OwnedComm::ranks_of_this_host(session_)),
        rank_(data_.rank()),
        size_(data_.size()),
        local_rank_(host_.rank()),
        local_size_(host_.size()),
        board_(session_, host_, rank_) {}

  ~MpiCommunicator() override {
    if (say_farewell()) return;
    session_.abandon();
    static_cast<void>(staging_.release());
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }
  std::string backend_name() const override { return "mpi"; }

  void abort(int exit_code) override {
    session_.abandon();
    std::fflush(nullptr);  // what is still buffered would be lost
    int is_finalized = 0;
    if (MPI_Finalized(&is_finalized) == MPI_SUCCESS && is_finalized == 0) {
      MPI_Abort(MPI_COMM_WORLD, exit_code);
    }
    std::_Exit(exit_code);
  }

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
  class InFlight;
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
  std::string who_is_late(const Call& call) const;

  double timeout_s_;
  std::int64_t max_count_;
  std::int64_t last_number_ = 0;
  std::string first_failure_;  // not empty: unusable
  std::unique_ptr<Staging> staging_ = std::make_unique<Staging>();

  mpi::Session session_;  // before, thus destroyed after, every handle
  mpi::OwnedComm data_;
  mpi::OwnedComm control_;  // barriers and agreements, apart from the data's messages
  mpi::OwnedComm host_;
  int rank_;
  int size_;
  int local_rank_;
  int local_size_;
  mpi::MaxOp<float> max_float32_{session_};
  mpi::MaxOp<double> max_float64_{session_};
  mpi::ProgressBoard board_;
};

/// One verb from its first MPI call to its end: one deadline for all its pieces, and the board kept
/// up to date. Refuses to start on a communicator that failed before.
class MpiCommunicator::InFlight {
 public:
  InFlight(MpiCommunicator& owner, const Call& call)
      : owner_(owner), call_(call), start_s_(monotonic_seconds()) {
    if (!owner_.first_failure_.empty()) {
      throw CommError(concat(call.text(), " refused: the communicator is unusable since ",
                             owner_.first_failure_, "; leave and start again"));
    }
    owner_.last_number_ = call_.number;
    owner_.board_.enter(call_.number, static_cast<int>(call_.verb));
  }
  ~InFlight() {
    if (owner_.first_failure_.empty()) {
      owner_.board_.leave(call_.number, static_cast<int>(call_.verb));
    }
  }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

  /// Waits for the request that `code` came with.
  void finish(int code, const char* function, MPI_Request& request) {
    check(code, function);
    for (int spin = 0; spin < kNumSpins; ++spin) {
      if (is_done(request)) return;
    }
    while (!is_done(request)) {
      const double waited_s = monotonic_seconds() - start_s_;
      if (waited_s > owner_.timeout_s_) expire();
      if (waited_s < kSleepAfter_s) {
        sched_yield();
      } else {
        std::this_thread::sleep_for(
            std::chrono::duration<double>(std::min(kLongestSleep_s, 0.01 * waited_s)));
      }
    }
  }

 private:
  void check(int code, const char* function) {
    if (code == MPI_SUCCESS) return;
    owner_.fail(call_, concat("failed in ", mpi::error_text(code, function),
                              ". A peer may be lost, or ranks called with different counts"));
  }
  bool is_done(MPI_Request& request) {
    int done = 0;
    check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
    return done != 0;
  }
  [[noreturn]] void expire() {
    owner_.fail(call_,
                concat("not finished after ", format_number(owner_.timeout_s_), " s; ",
                       owner_.who_is_late(call_), "; raise run.timeout_s if steps are slow"));
  }

  MpiCommunicator& owner_;
  const Call& call_;
  double start_s_;
};

void MpiCommunicator::fail(const Call& call, const std::string& reason) {
  first_failure_ = concat(name(call.verb), " #", call.number, " failed");
  session_.abandon();
  throw CommError(concat(call.text(), " ", reason));
}

/// Whether all ranks are about to free their handles. Freeing and finalising wait for the peers
/// without a deadline; this barrier has one.
bool MpiCommunicator::say_farewell() noexcept {
  if (!first_failure_.empty() || !session_.may_call()) return false;
  try {
    do_barrier({Verb::barrier, "farewell", last_number_ + 1, 0});
    return true;
  } catch (const std::exception&) {
    return false;  // reported, if at all, by the rank that did not come
  }
}

std::string MpiCommunicator::who_is_late(const Call& call) const {
  constexpr std::size_t kMostNamed = 4;
  const std::vector<mpi::Progress> others = board_.others();
  std::vector<std::string> late;
  int first_late = -1;
  for (const mpi::Progress& other : others) {
    const bool is_elsewhere =
        other.number == call.number && other.verb != static_cast<int>(call.verb);
    if (other.number >= call.number && !is_elsewhere) continue;
    if (first_late < 0) first_late = other.rank;
    late.push_back(is_elsewhere ? concat("rank ", other.rank, " is at ",
                                         name(static_cast<Verb>(other.verb)), " #", other.number)
                                : concat("rank ", other.rank, " last seen at #", other.number));
  }
  if (late.empty()) {
    if (others.empty()) return "which rank is late cannot be seen from here";
    return local_size_ == size_ ? "all ranks have come, so their counts may differ"
                                : "all ranks of this host have come: look at the other hosts";
  }
  if (late.size() > kMostNamed) {
    const std::string more = concat(late.size() - kMostNamed, " more");
    late.resize(kMostNamed);
    late.push_back(more);
  }
  return concat(join(late), ". See rank ", first_late, "'s log");
}

MPI_Op MpiCommunicator::mpi_op(ReduceOp op, ElementType type) const {
  if (op == ReduceOp::sum) return MPI_SUM;
  if (type == ElementType::float32) return max_float32_.get();
  if (type == ElementType::float64) return max_float64_.get();
  return MPI_MAX;
}

/// How many elements of each rank's part one MPI call can carry.
std::int64_t MpiCommunicator::piece_of_parts(std::int64_t part_count) const {
  // The whole counts, not the part: some versions compute displacements in int.
  if (part_count <= max_count_ / size_) return part_count;
  return std::max<std::int64_t>(1, std::min(max_count_, kMaxScratchCount) / size_);
}

std::byte* MpiCommunicator::stage(std::int64_t count, ElementType type) {
  const auto bytes = static_cast<std::size_t>(count * element_bytes(type));
  if (staging_->pieces.size() < bytes) staging_->pieces.resize(bytes);
  return staging_->pieces.data();
}

void MpiCommunicator::do_all_reduce(void* buffer, std::int64_t count, ElementType type, ReduceOp op,
                                    const Call& call) {
  InFlight flight(*this, call);
  for (std::int64_t first = 0; first < count; first += max_count_) {
    const auto piece = static_cast<int>(std::min(max_count_, count - first));
    MPI_Request request = MPI_REQUEST_NULL;
    // In place, Open MPI reduces along one tree and broadcasts: the order of each element's sum
    // depends on the number of ranks alone, not on where the element lies in the buffer.
    flight.finish(MPI_Iallreduce(MPI_IN_PLACE, at(buffer, first, type), piece, mpi_type(type),
                                 mpi_op(op, type), data_.get(), &request),
                  "MPI_Iallreduce", request);
  }
}

void MpiCommunicator::do_all_gather(const void* part, void* all, std::int64_t part_count,
                                    ElementType type, const Call& call) {
  InFlight flight(*this, call);
  if (part_count == 0) return;
  const std::int64_t largest = piece_of_parts(part_count);
  const bool is_whole = largest == part_count;
  void* target = is_whole ? all : stage(largest * size_, type);  // [size, piece]
  for (std::int64_t first = 0; first < part_count; first += largest) {
    const std::int64_t piece = std::min(largest, part_count - first);
    MPI_Request request = MPI_REQUEST_NULL;
    flight.finish(
        MPI_Iallgather(at(part, first, type), static_cast<int>(piece), mpi_type(type), target,
                       static_cast<int>(piece), mpi_type(type), data_.get(), &request),
        "MPI_Iallgather", request);
    for (int r = 0; !is_whole && r < size_; ++r) {
      std::memcpy(at(all, r * part_count + first, type), at(target, r * piece, type),
                  static_cast<std::size_t>(piece * element_bytes(type)));
    }
  }
}

void MpiCommunicator::do_reduce_scatter(const void* all, void* part, std::int64_t part_count,
                                        ElementType type, const Call& call) {
  InFlight flight(*this, call);
  if (part_count == 0) return;
  const std::int64_t largest = piece_of_parts(part_count);
  const bool is_whole = largest == part_count;
  std::byte* staged = is_whole ? nullptr : stage(largest * size_, type);  // [size, piece]
  for (std::int64_t first = 0; first < part_count; first += largest) {
    const std::int64_t piece = std::min(largest, part_count - first);
    for (int r = 0; !is_whole && r < size_; ++r) {
      std::memcpy(at(staged, r * piece, type), at(all, r * part_count + first, type),
                  static_cast<std::size_t>(piece * element_bytes(type)));
    }
    MPI_Request request = MPI_REQUEST_NULL;
    flight.finish(MPI_Ireduce_scatter_block(is_whole ? all : staged, at(part, first, type),
                                            static_cast<int>(piece), mpi_type(type),
                                            mpi_op(ReduceOp::sum, type), data_.get(), &request),
                  "MPI_Ireduce_scatter_block", request);
  }
}

void MpiCommunicator::do_broadcast(void* buffer, std::int64_t count, ElementType type, int root,
                                   const Call& call) {
  InFlight flight(*this, call);
  for (std::int64_t first = 0; first < count; first += max_count_) {
    const auto piece = static_cast<int>(std::min(max_count_, count - first));
    MPI_Request request = MPI_REQUEST_NULL;
    flight.finish(
        MPI_Ibcast(at(buffer, first, type), piece, mpi_type(type), root, data_.get(), &request),
        "MPI_Ibcast", request);
  }
}

void MpiCommunicator::do_barrier(const Call& call) {
  InFlight flight(*this, call);
  MPI_Request request = MPI_REQUEST_NULL;
  flight.finish(MPI_Ibarrier(control_.get(), &request), "MPI_Ibarrier", request);
}

std::int64_t MpiCommunicator::do_agree(std::int64_t value, const Call& call) {
  InFlight flight(*this, call);
  MPI_Request request = MPI_REQUEST_NULL;
  staging_->agreement = value;
  flight.finish(MPI_Iallreduce(MPI_IN_PLACE, &staging_->agreement, 1, MPI_INT64_T, MPI_MAX,
                               control_.get(), &request),
                "MPI_Iallreduce", request);
  return staging_->agreement;
}

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(const MpiOptions& options) {
  check_options(options);
  return std::make_unique<MpiCommunicator>(options);
}

}  // namespace kantor
