#include "distributed/mpi/progress_board.hpp"

#include <atomic>

#include "runtime/core/process.hpp"

namespace kantor::mpi {
namespace {

constexpr MPI_Aint kSlotBytes = 64;  // a cache line each: writers must not slow each other down
constexpr std::size_t kTimes = 2;    // behind the two places, in the same order
constexpr std::size_t kWord = 4;     // behind those, in the first slot: whether one has spoken
constexpr double kTick_s = 1e-6;     // of times: the clock that all processes of a host share
constexpr int kNumberShift = 8;      // word = number << 8 | verb << 1 | is_inside

std::atomic_ref<std::int64_t> word(std::int64_t* slot, Lane lane) {
  return std::atomic_ref<std::int64_t>(slot[static_cast<std::size_t>(lane)]);
}

std::atomic_ref<std::int64_t> time_of(std::int64_t* slot, Lane lane) {
  return std::atomic_ref<std::int64_t>(slot[kTimes + static_cast<std::size_t>(lane)]);
}

std::int64_t ticks(double seconds) { return static_cast<std::int64_t>(seconds / kTick_s); }

}  // namespace

ProgressBoard::ProgressBoard(const Session& session, const OwnedComm& host, int world_rank)
    : session_(session),
      local_rank_(host.rank()),
      world_ranks_(static_cast<std::size_t>(host.size())) {
  check(MPI_Allgather(&world_rank, 1, MPI_INT, world_ranks_.data(), 1, MPI_INT, host.get()),
        "MPI_Allgather");
  if (world_ranks_.size() == 1) return;

  std::int64_t* own = nullptr;
  const int code = MPI_Win_allocate_shared(kSlotBytes, 1, MPI_INFO_NULL, host.get(),
                                           static_cast<void*>(&own), &window_);
  int is_good = code == MPI_SUCCESS ? 1 : 0;
  if (is_good == 0) window_ = MPI_WIN_NULL;
  check(MPI_Allreduce(MPI_IN_PLACE, &is_good, 1, MPI_INT, MPI_MIN, host.get()), "MPI_Allreduce");
  if (is_good == 0) return;
  map_slots(host);
  for (const Lane lane : {Lane::own, Lane::guest}) {
    word(own, lane).store(0);
    time_of(own, lane).store(ticks(monotonic_seconds()));
  }
  std::atomic_ref<std::int64_t>(own[kWord]).store(0);
  check(MPI_Barrier(host.get()), "MPI_Barrier");  // nobody reads a slot before it is 0
}

void ProgressBoard::map_slots(const OwnedComm& host) {
  for (int rank = 0; rank < host.size(); ++rank) {
    MPI_Aint bytes = 0;
    int unit = 0;
    std::int64_t* slot = nullptr;
    check(MPI_Win_shared_query(window_, rank, &bytes, &unit, static_cast<void*>(&slot)),
          "MPI_Win_shared_query");
    slots_.push_back(slot);
  }
}

ProgressBoard::~ProgressBoard() {
  if (window_ != MPI_WIN_NULL && session_.may_call()) MPI_Win_free(&window_);
}

void ProgressBoard::post(std::int64_t number, int verb, bool is_inside, Lane lane) {
  if (slots_.empty()) return;
  const std::int64_t place = number << kNumberShift | verb << 1 | (is_inside ? 1 : 0);
  word(slots_[static_cast<std::size_t>(local_rank_)], lane).store(place, std::memory_order_relaxed);
  poll(lane, monotonic_seconds());
}

void ProgressBoard::poll(Lane lane, double now_s) {
  if (slots_.empty()) return;
  std::int64_t* slot = slots_[static_cast<std::size_t>(local_rank_)];
  time_of(slot, lane).store(ticks(now_s), std::memory_order_relaxed);
}

void ProgressBoard::enter(std::int64_t number, int verb, Lane lane) {
  post(number, verb, true, lane);
}
void ProgressBoard::leave(std::int64_t number, int verb) { post(number, verb, false, Lane::own); }

bool ProgressBoard::take_the_word() {
  return slots_.empty() || std::atomic_ref<std::int64_t>(slots_.front()[kWord]).exchange(1) == 0;
}

std::vector<Progress> ProgressBoard::others(Lane lane) const {
  const std::int64_t now = ticks(monotonic_seconds());
  std::vector<Progress> result;
  for (std::size_t i = 0; i < slots_.size(); ++i) {
    if (static_cast<int>(i) == local_rank_) continue;
    const std::int64_t place = word(slots_[i], lane).load();
    const int verb = static_cast<int>(place >> 1 & ((1 << (kNumberShift - 1)) - 1));
    const double unseen_s = kTick_s * static_cast<double>(now - time_of(slots_[i], lane).load());
    result.push_back({world_ranks_[i], place >> kNumberShift, verb, (place & 1) != 0, unseen_s});
  }
  return result;
}

}  // namespace kantor::mpi
