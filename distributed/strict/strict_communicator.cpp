// Shapes: V ranks, P processes; part [n], all [V, n].

#include "distributed/strict/strict_communicator.hpp"

#include "distributed/collectively.hpp"
#include "distributed/thread/reduction.hpp"
#include "runtime/core/error.hpp"

namespace kantor {
namespace strict {
namespace {

std::span<const std::byte> bytes_of(const void* buffer, std::int64_t count, ElementType type) {
  return {static_cast<const std::byte*>(buffer),
          static_cast<std::size_t>(count * element_bytes(type))};
}
std::span<std::byte> bytes_of(void* buffer, std::int64_t count, ElementType type) {
  return {static_cast<std::byte*>(buffer), static_cast<std::size_t>(count * element_bytes(type))};
}

}  // namespace

StrictCommunicator::StrictCommunicator(std::unique_ptr<Communicator> inside,
                                       std::shared_ptr<Communicator> between, int num_processes,
                                       int process)
    : inside_(std::move(inside)),
      between_(std::move(between)),
      num_processes_(num_processes),
      process_(process) {}

void StrictCommunicator::at_step(std::int64_t step) {
  Communicator::at_step(step);
  inside_->at_step(step);
  if (is_first()) between_->at_step(step);
}

void StrictCommunicator::finish() {
  inside_->barrier("end of the run");
  if (is_first()) between_->finish();
}

void StrictCommunicator::abort(int exit_code) {
  if (is_first()) between_->abort(exit_code);
  inside_->abort(exit_code);  // ends the process, at which the launcher ends the others
}

/// Twice as long within the process, whose first rank waits for the other processes meanwhile.
void StrictCommunicator::share_deadline(const Call& call) {
  inside_->take_deadline(2 * call.deadline_s);
  if (is_first()) between_->take_deadline(call.deadline_s);
}

void StrictCommunicator::gather(std::span<const std::byte> part, std::span<std::byte> all,
                                const Call& call) {
  share_deadline(call);
  process_parts_.resize(part.size() * static_cast<std::size_t>(inside_->size()));
  inside_->all_gather<std::byte>(part, process_parts_, call.what);
  if (is_first()) between_->all_gather<std::byte>(process_parts_, all, call.what);
  inside_->broadcast<std::byte>(all, 0, call.what);
}

void StrictCommunicator::reduce(std::span<const std::byte> mine, void* result, std::int64_t first,
                                std::int64_t count, ElementType type, ReduceOp op,
                                const Call& call) {
  all_parts_.resize(mine.size() * static_cast<std::size_t>(size()));
  gather(mine, all_parts_, call);
  const auto term = [&](int rank) -> const void* {
    return all_parts_.data() + mine.size() * static_cast<std::size_t>(rank);
  };
  thread::reduce(result, term, size(), first, count, type, op);
}

void StrictCommunicator::do_all_reduce(void* buffer, std::int64_t count, ElementType type,
                                       ReduceOp op, const Call& call) {
  reduce(bytes_of(buffer, count, type), buffer, 0, count, type, op, call);
}

void StrictCommunicator::do_all_gather(const void* part, void* all, std::int64_t part_count,
                                       ElementType type, const Call& call) {
  gather(bytes_of(part, part_count, type), bytes_of(all, part_count * size(), type), call);
}

void StrictCommunicator::do_reduce_scatter(const void* all, void* part, std::int64_t part_count,
                                           ElementType type, const Call& call) {
  reduce(bytes_of(all, part_count * size(), type), part, part_count * rank(), part_count, type,
         ReduceOp::sum, call);
}

void StrictCommunicator::do_broadcast(void* buffer, std::int64_t count, ElementType type, int root,
                                      const Call& call) {
  const std::span<std::byte> bytes = bytes_of(buffer, count, type);
  share_deadline(call);
  const int root_process = root / inside_->size();
  if (process_ == root_process) {
    inside_->broadcast<std::byte>(bytes, root % inside_->size(), call.what);
  }
  if (is_first()) between_->broadcast<std::byte>(bytes, root_process, call.what);
  inside_->broadcast<std::byte>(bytes, 0, call.what);
}

void StrictCommunicator::do_barrier(const Call& call) {
  share_deadline(call);
  inside_->barrier(call.what);
  if (is_first()) between_->barrier(call.what);
  inside_->barrier(call.what);
}

std::int64_t StrictCommunicator::do_agree(std::int64_t value, const Call& call) {
  share_deadline(call);
  std::int64_t agreed = inside_->agree(value, call.what);
  if (is_first()) agreed = between_->agree(agreed, call.what);
  inside_->broadcast(std::span<std::int64_t>(&agreed, 1), 0, call.what);
  return agreed;
}

}  // namespace strict

std::vector<std::unique_ptr<Communicator>> make_strict_communicators(
    std::unique_ptr<Communicator> between, double timeout_s) {
  const int num_processes = between->size();
  if (kStrictRanks % num_processes != 0) {
    fail_on_all_ranks(*between,
                      ConfigError(concat("run.deterministic = \"strict\" spreads ", kStrictRanks,
                                         " ranks over the processes, which does not work out for ",
                                         num_processes, "; start 1, 2, 4 or 8")));
  }
  const int process = between->rank();
  // The first rank waits for the other processes while its neighbours wait for it.
  auto inside = make_thread_communicators(
      {.num_ranks = kStrictRanks / num_processes, .timeout_s = 2 * timeout_s + 1});
  std::shared_ptr<Communicator> shared = std::move(between);
  std::vector<std::unique_ptr<Communicator>> ranks;
  for (std::unique_ptr<Communicator>& each : inside) {
    const bool is_first = ranks.empty();
    ranks.push_back(std::make_unique<strict::StrictCommunicator>(
        std::move(each), is_first ? std::move(shared) : nullptr, num_processes, process));
  }
  return ranks;
}

}  // namespace kantor
