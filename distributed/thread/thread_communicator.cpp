// Ranks as threads: meetings, refusals and the six verbs.
// Shapes: P ranks; part [n], all [P, n].

#include "distributed/thread/thread_communicator.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "distributed/late_ranks.hpp"
#include "distributed/thread/reduction.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {
namespace thread {
namespace {

constexpr double kNoDeadline_s = std::numeric_limits<double>::infinity();
constexpr std::int64_t kNoMeeting = std::numeric_limits<std::int64_t>::max();

void copy(void* to, const void* from, std::int64_t first, std::int64_t count, ElementType type) {
  if (count == 0) return;  // the pointers of empty spans may be null
  const std::int64_t width = element_bytes(type);
  std::memcpy(static_cast<std::byte*>(to) + first * width, from,
              static_cast<std::size_t>(count * width));
}

const char* name(ElementType type) {
  switch (type) {
    case ElementType::float32:
      return "float32";
    case ElementType::float64:
      return "float64";
    case ElementType::int32:
      return "int32";
    case ElementType::int64:
      return "int64";
    case ElementType::byte:
      break;
  }
  return "byte";
}

}  // namespace

ThreadCommunicator::ThreadCommunicator(std::shared_ptr<World> world, int rank, double timeout_s)
    : world_(std::move(world)), rank_(rank), timeout_s_(timeout_s) {}

ThreadCommunicator::~ThreadCommunicator() {
  world_->place.close(kNoMeeting,
                      concat("cannot finish: rank ", rank_, " has left after #", last_number_));
}

int ThreadCommunicator::size() const { return static_cast<int>(world_->seats.size()); }

void ThreadCommunicator::abort(int exit_code) {
  std::fflush(nullptr);  // what is still buffered would be lost
  std::_Exit(exit_code);
}

bool ThreadCommunicator::Offer::fits(const Offer& other) const {
  return verb == other.verb && type == other.type && op == other.op && root == other.root &&
         count == other.count;
}

std::string ThreadCommunicator::Offer::text() const {
  std::string text = concat(Communicator::name(verb), " (", what, ")");
  if (verb == Verb::barrier || verb == Verb::agree) return text;
  text += concat(" of ", count, " ", thread::name(type));
  if (verb == Verb::all_reduce) text += op == ReduceOp::sum ? ", sum" : ", maximum";
  if (verb == Verb::broadcast) text += concat(" from rank ", root);
  return text;
}

const ThreadCommunicator::Offer& ThreadCommunicator::offer_of(int rank, const Call& call) const {
  return world_->seats[static_cast<std::size_t>(rank)]
      .offers[static_cast<std::size_t>(call.number % 2)];
}

/// The first meeting: returns when the offers of all ranks are there, and fit.
void ThreadCommunicator::post(const Offer& offer, const Call& call) {
  if (!first_failure_.empty()) {
    throw CommError(concat(call.text(), " refused: the communicator is unusable since ",
                           first_failure_, "; leave and start again"));
  }
  last_number_ = call.number;
  Seat& seat = world_->seats[static_cast<std::size_t>(rank_)];
  seat.offers[static_cast<std::size_t>(call.number % 2)] = offer;
  seat.number.store(call.number, std::memory_order_relaxed);
  Rendezvous& place = world_->place;
  const auto meeting = place.arrive();
  const double deadline_s = std::max(timeout_s_, call.deadline_s);
  // The late ranks are looked up only when they are needed, and may come that very moment: then
  // the place does not close, and the call goes on.
  if (!meeting || (!place.wait(*meeting, deadline_s) &&
                   place.close(*meeting, concat("not finished after ", format_number(deadline_s),
                                                " s; ", who_is_late(call),
                                                "; raise run.timeout_s if steps are slow")))) {
    fail(call, place.reason());
  }
  check_fit(call);
}

/// The same verdict on all ranks, because all compare the same offers.
void ThreadCommunicator::check_fit(const Call& call) {
  const Offer& first = offer_of(0, call);
  for (int other = 1; other < size(); ++other) {
    if (first.fits(offer_of(other, call))) continue;
    const std::string reason =
        concat("fails on all ranks: rank 0 calls ", first.text(), ", but rank ", other, " ",
               offer_of(other, call).text(), "; every rank must make the same calls");
    leave_call();  // nobody leaves while his offer is still being read
    fail(call, reason);
  }
}

/// The second meeting: returns when no peer reads or writes this rank's buffers any more.
void ThreadCommunicator::leave_call() {
  const auto meeting = world_->place.arrive();
  if (meeting) world_->place.wait(*meeting, kNoDeadline_s);
}

void ThreadCommunicator::fail(const Call& call, const std::string& reason) {
  first_failure_ = concat(Communicator::name(call.verb), " #", call.number, " failed");
  throw CommError(concat(call.text(), " ", reason));
}

std::string ThreadCommunicator::who_is_late(const Call& call) const {
  std::vector<std::string> late;
  int first_late = -1;
  for (int other = 0; other < size(); ++other) {
    const std::int64_t number =
        world_->seats[static_cast<std::size_t>(other)].number.load(std::memory_order_relaxed);
    if (number >= call.number) continue;
    if (first_late < 0) first_late = other;
    late.push_back(concat("rank ", other, " last seen at #", number));
  }
  if (late.empty()) return "the last rank has come too late";
  return name_late_ranks(std::move(late), first_late);
}

void ThreadCommunicator::do_all_reduce(void* buffer, std::int64_t count, ElementType type,
                                       ReduceOp op, const Call& call) {
  post({.verb = call.verb,
        .type = type,
        .op = op,
        .count = count,
        .in = buffer,
        .out = buffer,
        .what = call.what},
       call);
  const auto in = [&](int rank) { return offer_of(rank, call).in; };
  const Slice slice = slice_of(count, element_bytes(type), rank_, size());
  for (std::int64_t first = slice.first; first < slice.last; first += kBlock) {
    const std::int64_t length = std::min(kBlock, slice.last - first);
    alignas(64) std::byte sums[kBlock * sizeof(double)];
    reduce(sums, in, size(), first, length, type, op);
    for (int to = 0; to < size(); ++to) copy(offer_of(to, call).out, sums, first, length, type);
  }
  leave_call();
}

void ThreadCommunicator::do_all_gather(const void* part, void* all, std::int64_t part_count,
                                       ElementType type, const Call& call) {
  post({.verb = call.verb, .type = type, .count = part_count, .in = part, .what = call.what}, call);
  for (int from = 0; from < size(); ++from) {
    copy(all, offer_of(from, call).in, from * part_count, part_count, type);
  }
  leave_call();
}

void ThreadCommunicator::do_reduce_scatter(const void* all, void* part, std::int64_t part_count,
                                           ElementType type, const Call& call) {
  post({.verb = call.verb, .type = type, .count = part_count, .in = all, .what = call.what}, call);
  const auto in = [&](int rank) { return offer_of(rank, call).in; };
  for (std::int64_t first = 0; first < part_count; first += kBlock) {
    const std::int64_t length = std::min(kBlock, part_count - first);
    reduce(static_cast<std::byte*>(part) + first * element_bytes(type), in, size(),
           rank_ * part_count + first, length, type, ReduceOp::sum);
  }
  leave_call();
}

void ThreadCommunicator::do_broadcast(void* buffer, std::int64_t count, ElementType type, int root,
                                      const Call& call) {
  post({.verb = call.verb,
        .type = type,
        .root = root,
        .count = count,
        .in = buffer,
        .what = call.what},
       call);
  if (rank_ != root) copy(buffer, offer_of(root, call).in, 0, count, type);
  leave_call();
}

void ThreadCommunicator::do_barrier(const Call& call) {
  post({.verb = call.verb, .what = call.what}, call);
}

std::int64_t ThreadCommunicator::do_agree(std::int64_t value, const Call& call) {
  post({.verb = call.verb, .value = value, .what = call.what}, call);
  for (int rank = 0; rank < size(); ++rank) value = std::max(value, offer_of(rank, call).value);
  return value;
}

}  // namespace thread

std::vector<std::unique_ptr<Communicator>> make_thread_communicators(const ThreadOptions& options) {
  if (options.num_ranks < 1) {
    throw ValueError(
        concat("ThreadOptions::num_ranks is ", options.num_ranks, "; expected 1 or more"));
  }
  if (!(options.timeout_s > 0) || !std::isfinite(options.timeout_s)) {
    throw ConfigError(concat("run.timeout_s is ", format_number(options.timeout_s),
                             "; expected the seconds that one collective may take, above 0"));
  }
  const auto world = std::make_shared<thread::ThreadCommunicator::World>(options.num_ranks);
  std::vector<std::unique_ptr<Communicator>> ranks;
  ranks.reserve(world->seats.size());
  for (int rank = 0; rank < options.num_ranks; ++rank) {
    ranks.push_back(std::make_unique<thread::ThreadCommunicator>(world, rank, options.timeout_s));
  }
  return ranks;
}

}  // namespace kantor
