// Life and death of the MPI back end, and its waiting; the verbs are in mpi_verbs.cpp.

#include "distributed/mpi/mpi_communicator.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <limits>
#include <utility>

#include "distributed/late_ranks.hpp"
#include "distributed/polling.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {
namespace mpi {
namespace {

constexpr std::int64_t kMaxCount = std::numeric_limits<int>::max();  // MPI counts are int

const MpiOptions& checked(const MpiOptions& options) {
  if (!(options.timeout_s > 0) || !std::isfinite(options.timeout_s)) {
    throw ConfigError(concat("run.timeout_s is ", format_number(options.timeout_s),
                             "; expected the seconds that one collective may take, above 0"));
  }
  if (options.max_count < 0 || options.max_count > kMaxCount) {
    throw ValueError(
        concat("MpiOptions::max_count is ", options.max_count, "; expected 0 to ", kMaxCount));
  }
  return options;
}

}  // namespace

MpiCommunicator::MpiCommunicator(const MpiOptions& options)
    : timeout_s_(checked(options).timeout_s),
      max_count_(options.max_count == 0 ? kMaxCount : options.max_count),
      last_resort_(announced_rank()),
      bounds_(std::in_place, last_resort_, LastResort::limit_of_start(timeout_s_),
              [] { return "starting MPI"; }),
      data_(OwnedComm::duplicate_of_world(session_)),
      control_(OwnedComm::duplicate_of_world(session_)),
      host_(OwnedComm::ranks_of_this_host(session_)),
      rank_(data_.rank()),
      size_(data_.size()),
      local_rank_(host_.rank()),
      local_size_(host_.size()),
      board_(session_, host_, rank_) {
  bounds_.reset();
}

MpiCommunicator::~MpiCommunicator() {
  bounds_.emplace(last_resort_, LastResort::limit_of(timeout_s_), [] { return "closing MPI"; });
  if (say_farewell()) return;
  session_.abandon();
  static_cast<void>(staging_.release());
}

void MpiCommunicator::abort(int exit_code) {
  const LastResort::Watch watch(last_resort_, LastResort::limit_of(timeout_s_), [this] {
    return concat("ending all ranks", failed_call_.empty() ? "" : " after ", failed_call_);
  });
  session_.abandon();
  std::fflush(nullptr);  // what is still buffered would be lost
  int is_finalized = 0;
  if (MPI_Finalized(&is_finalized) == MPI_SUCCESS && is_finalized == 0) {
    MPI_Abort(MPI_COMM_WORLD, exit_code);
  }
  std::_Exit(exit_code);
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

MpiCommunicator::InFlight::InFlight(MpiCommunicator& owner, const Call& call)
    : owner_(owner),
      call_(call),
      deadline_s_(std::max(owner.timeout_s_, call.deadline_s)),
      clock_(monotonic_seconds()),
      watch_(owner.last_resort_, LastResort::limit_of(deadline_s_),
             [&call] { return call.text(); }) {
  if (!owner_.first_failure_.empty()) {
    throw CommError(concat(call.text(), " refused: the communicator is unusable since ",
                           owner_.first_failure_, "; leave and start again"));
  }
  owner_.last_number_ = call_.number;
  owner_.board_.enter(call_.number, static_cast<int>(call_.verb));
}

MpiCommunicator::InFlight::~InFlight() {
  // After a failure the board goes on showing where this rank is stuck.
  if (owner_.first_failure_.empty()) {
    owner_.board_.leave(call_.number, static_cast<int>(call_.verb));
  }
}

void MpiCommunicator::InFlight::finish(int code, const char* function, MPI_Request& request) {
  check(code, function);
  for (int spin = 0; spin < kNumSpins; ++spin) {
    if (is_done(request)) return;
  }
  while (!is_done(request)) {
    const double now_s = monotonic_seconds();
    owner_.board_.poll(Lane::own, now_s);
    const double waited_s = clock_.waited_s(now_s);
    if (waited_s > deadline_s_) expire();
    pause_between_polls(waited_s);
  }
}

void MpiCommunicator::InFlight::check(int code, const char* function) {
  if (code == MPI_SUCCESS) return;
  const std::string elsewhere = name_ranks_elsewhere(owner_.board_.ranks_here(), owner_.size_);
  owner_.fail(call_, concat("failed in ", error_text(code, function),
                            ". A peer may be lost, or ranks called with different counts",
                            elsewhere.empty() ? "" : "; ", elsewhere));
}

bool MpiCommunicator::InFlight::is_done(MPI_Request& request) {
  int done = 0;
  check(MPI_Test(&request, &done, MPI_STATUS_IGNORE), "MPI_Test");
  return done != 0;
}

void MpiCommunicator::InFlight::expire() {
  owner_.fail(call_,
              concat("not finished after ", format_number(deadline_s_), " s; ",
                     owner_.who_is_late(Lane::own, call_.number, static_cast<int>(call_.verb)),
                     "; raise run.timeout_s if steps are slow"));
}

void MpiCommunicator::fail(const Call& call, const std::string& reason) {
  first_failure_ = concat(name(call.verb), " #", call.number, " failed");
  failed_call_ = call.text();
  session_.abandon();
  throw CommError(concat(call.text(), " ", reason));
}

void MpiCommunicator::show_place(std::int64_t number, int verb) {
  board_.enter(number, verb, Lane::guest);
}

std::string MpiCommunicator::who_is_late(std::int64_t number, int verb) const {
  return who_is_late(Lane::guest, number, verb);
}

std::string MpiCommunicator::who_is_late(Lane lane, std::int64_t number, int verb) const {
  const std::vector<Progress> others = board_.others(lane);
  // Whoever waits, here or in an earlier call, polls all the time: it is not the one.
  const auto is_waiting = [&](const Progress& other) {
    return other.is_inside && other.unseen_s <= timeout_s_ / 2;
  };
  const auto has_come = [&](const Progress& other) {
    return other.number > number || (other.number == number && other.verb == verb);
  };
  std::vector<Progress> late;
  std::copy_if(others.begin(), others.end(), std::back_inserter(late), [&](const Progress& other) {
    const bool has_stopped = other.number == number && other.is_inside && !is_waiting(other);
    return !has_come(other) || has_stopped;
  });
  if (!std::all_of(late.begin(), late.end(), is_waiting)) std::erase_if(late, is_waiting);
  if (late.empty()) {
    const std::string elsewhere = name_ranks_elsewhere(board_.ranks_here(), size_);
    if (elsewhere.empty()) {
      return others.empty() ? "which rank is late cannot be seen from here"
                            : "all ranks have come, so their counts may differ";
    }
    return concat(others.empty() ? "" : "all ranks of this host have come; ", elsewhere,
                  ": a rank or the network between may be lost");
  }
  std::vector<std::string> clauses;
  for (const Progress& other : late) {
    std::string clause = concat("rank ", other.rank, " last seen at #", other.number);
    if (has_come(other)) clause += concat(" itself, ", format_seconds(other.unseen_s), " ago");
    if (other.number == number && other.verb != verb) {
      clause = concat("rank ", other.rank, " is at ", name(static_cast<Verb>(other.verb)), " #",
                      other.number);
    }
    clauses.push_back(clause);
  }
  return name_late_ranks(std::move(clauses), late.front().rank);
}

}  // namespace mpi

std::unique_ptr<Communicator> make_mpi_communicator(const MpiOptions& options) {
  return std::make_unique<mpi::MpiCommunicator>(options);
}

}  // namespace kantor
