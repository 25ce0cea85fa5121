// Life and death of the NCCL back end, and its failing; the verbs are in nccl_verbs.cpp.

#include "distributed/nccl/nccl_communicator.hpp"

#include <algorithm>
#include <cmath>
#include <exception>

#include "distributed/collectively.hpp"
#include "distributed/nccl/bring_up.hpp"
#include "distributed/nccl/device_calls.hpp"
#include "distributed/nccl/flight.hpp"
#include "distributed/nccl/transfer.hpp"
#include "runtime/core/text.hpp"

namespace kantor::nccl {
namespace {

const NcclOptions& checked(const NcclOptions& options) {
  for (const double timeout_s : {options.timeout_s, options.init_timeout_s}) {
    if (timeout_s > 0 && std::isfinite(timeout_s)) continue;
    throw ConfigError(concat("run.timeout_s is ", format_number(timeout_s),
                             "; expected the seconds that one collective may take, above 0"));
  }
  return options;
}

}  // namespace

NcclCommunicator::NcclCommunicator(Communicator& host, const NcclOptions& options)
    : host_(host),
      options_(checked(options)),
      last_resort_(host.rank()),
      flight_(std::make_unique<Flight>()),
      exceptions_before_(std::uncaught_exceptions()) {
  try {
    bring_up();
  } catch (...) {
    handle_.abort();
    throw;
  }
}

void NcclCommunicator::bring_up() {
  const LastResort::Watch watch(last_resort_, LastResort::limit_of(options_.init_timeout_s),
                                [] { return "bringing NCCL up"; });
  set_nccl_environment();
  device_ = choose_device(host_, options_.allow_gpu_sharing);
  collectively(host_, "preparing the GPU", [&] {
    as<ConfigError>(concat("run.backend = \"nccl\" cannot use GPU ", device_), [&] {
      resources_.open();
      flight_->open();
    });
  });
  const ncclUniqueId id = shared_unique_id(host_);
  bool is_started = false;
  poll_together(
      host_, "bringing NCCL up",
      [&] {
        if (!is_started) handle_.open(id, size(), rank(), device_);
        is_started = true;
        if (handle_.is_pending()) return false;
        handle_.verify(size(), rank());
        return true;
      },
      options_.init_timeout_s);
  warm_up();
}

/// Connections are made by the first collective: a broken fabric shows here, by name, rather than
/// as a hang or a wrong number in the first step.
void NcclCommunicator::warm_up() {
  double sum = rank() + 1;
  const double expected = 0.5 * size() * (size() + 1);
  const Operation operation = sum_or_max(&sum, 1, ElementType::float64, ReduceOp::sum);
  Transfer transfer(*this, operation);
  poll_together(
      host_, "the first all-reduce over NCCL",
      [&] {
        if (!transfer.is_done()) return false;
        if (sum == expected) return true;
        throw DeviceFault(concat("the sum of 1 to ", size(), " over the ranks came out as ", sum));
      },
      options_.init_timeout_s);
}

NcclCommunicator::~NcclCommunicator() {
  const bool is_unwinding = std::uncaught_exceptions() > exceptions_before_;
  if (is_finished_ || is_unwinding || !first_failure_.empty()) return;
  try {
    finish();
  } catch (const std::exception&) {  // who needs to know of it calls finish()
  }
}

void NcclCommunicator::finish() {
  if (is_finished_) return;
  refuse_after_failure([] { return "closing NCCL"; });
  synchronize_all();
  const LastResort::Watch watch(last_resort_, LastResort::limit_of(options_.timeout_s),
                                [] { return "closing NCCL"; });
  is_finished_ = true;
  first_failure_ = "it was closed";
  bool is_started = false;
  try {
    poll_together(
        host_, "closing NCCL",
        [&] {
          if (!is_started) handle_.start_closing();
          is_started = true;
          return !handle_.is_pending();
        },
        options_.timeout_s);
    collectively(host_, "freeing the GPU", [&] {
      as<CommError>("closing NCCL", [&] {
        handle_.close();
        flight_->close();
        resources_.close();
      });
    });
  } catch (const Error&) {
    handle_.abort();
    throw;
  }
}

double NcclCommunicator::deadline_s(const Call& call) const {
  return std::max(options_.timeout_s, call.deadline_s);
}

void NcclCommunicator::run(const Call& call, const std::function<void()>& body) {
  refuse_after_failure([&] { return call.text(); });
  host_.take_deadline(call.deadline_s);
  guard_.reset();
  {
    const LastResort::Watch watch(last_resort_, LastResort::limit_of(deadline_s(call)),
                                  [&call] { return call.text(); });
    place_ = {call.number, static_cast<int>(call.verb), deadline_s(call)};
    host_.show_place(place_.number, place_.verb);
    name_failure(call, body);
  }
  guard();
}

void NcclCommunicator::name_failure(const Call& call, const std::function<void()>& body) {
  try {
    body();
  } catch (const Overdue& fault) {
    const Call& late = first_unfinished(call);
    fail(late,
         concat(fault.what(), "; ", host_.who_is_late(late.number, static_cast<int>(late.verb)),
                "; raise run.timeout_s if steps are slow"));
  } catch (const AsyncFault& fault) {
    fail(first_unfinished(call), concat("failed: ", fault.what()));
  } catch (const DeviceFault& fault) {
    fail(call, concat("failed: ", fault.what()));
  } catch (const CommError&) {  // of the host communicator, which names what failed
    give_up(call);
    throw;
  }
}

void NcclCommunicator::do_synchronize(const std::function<bool()>& is_enough) {
  refuse_after_failure([] { return "waiting for the GPU"; });
  if (flight_->is_empty()) return;
  guard_.reset();
  while (!flight_->is_empty() && !is_enough()) synchronize_oldest(is_enough);
  guard();
}

void NcclCommunicator::synchronize_all() {
  guard_.reset();
  while (!flight_->is_empty()) synchronize_oldest([] { return false; });
}

/// Each verb has a deadline of its own, from when the one before it was seen done or the host began
/// to look: on a slow GPU many steps may lie before it.
void NcclCommunicator::synchronize_oldest(const std::function<bool()>& is_enough) {
  const Call& call = flight_->oldest();
  const LastResort::Watch watch(last_resort_, LastResort::limit_of(deadline_s(call)),
                                [&call] { return call.text(); });
  bool is_reached = false;
  name_failure(call, [&] {
    poll(
        [&] {
          host_.show_place(place_.number, place_.verb);
          // In this order: an error that comes with the end of the work is seen.
          is_reached = flight_->is_oldest_reached();
          const bool is_pending = handle_.is_pending();
          return (is_reached && !is_pending) || is_enough();
        },
        deadline_s(call));
  });
  if (is_reached) flight_->drop_oldest();
}

/// A verb that fails or is late may only be waiting for one before it.
const Communicator::Call& NcclCommunicator::first_unfinished(const Call& otherwise) noexcept {
  try {
    while (!flight_->is_empty() && flight_->is_oldest_reached()) flight_->drop_oldest();
  } catch (const DeviceFault&) {  // the GPU is lost: the one that it last was at
  }
  return flight_->is_empty() ? otherwise : flight_->oldest();
}

void NcclCommunicator::guard() {
  if (flight_->is_empty()) return;
  guard_.emplace(last_resort_, LastResort::limit_of(place_.deadline_s),
                 [this] { return flight_->oldest().text(); });
}

void NcclCommunicator::refuse_after_failure(const std::function<std::string()>& what) const {
  if (first_failure_.empty()) return;
  throw CommError(concat(what(), " refused: the communicator is unusable since ", first_failure_,
                         "; leave and start again"));
}

void NcclCommunicator::give_up(const Call& call) {
  if (first_failure_.empty()) {
    first_failure_ = concat(name(call.verb), " #", call.number, " failed");
  }
  handle_.abort();
}

void NcclCommunicator::fail(const Call& call, const std::string& reason) {
  give_up(call);
  throw CommError(concat(call.text(), " on GPU ", device_, " ", reason));
}

}  // namespace kantor::nccl
