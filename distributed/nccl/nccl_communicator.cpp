// Life and death of the NCCL back end, and its failing; the verbs are in nccl_verbs.cpp.

#include "distributed/nccl/nccl_communicator.hpp"

#include <cmath>
#include <exception>

#include "distributed/nccl/bring_up.hpp"
#include "distributed/nccl/device_calls.hpp"
#include "distributed/nccl/transfer.hpp"
#include "distributed/together.hpp"
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
  together(host_, "preparing the GPU", [&] {
    as<ConfigError>(concat("run.backend = \"nccl\" cannot use GPU ", device_),
                    [&] { resources_.open(); });
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
  if (!first_failure_.empty()) {
    throw CommError(concat("closing NCCL refused: unusable since ", first_failure_));
  }
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
    together(host_, "freeing the GPU", [&] {
      as<CommError>("closing NCCL", [&] {
        handle_.close();
        resources_.close();
      });
    });
  } catch (const Error&) {
    handle_.abort();
    throw;
  }
}

void NcclCommunicator::run(const Call& call, const std::function<void()>& body) {
  if (!first_failure_.empty()) {
    throw CommError(concat(call.text(), " refused: the communicator is unusable since ",
                           first_failure_, "; leave and start again"));
  }
  const double deadline_s = std::max(options_.timeout_s, call.patience_s);
  host_.take_patience(call.patience_s);
  const LastResort::Watch watch(last_resort_, LastResort::limit_of(deadline_s),
                                [&call] { return call.text(); });
  const int verb = static_cast<int>(call.verb);
  place_ = {call.number, verb, deadline_s};
  host_.show_place(call.number, verb);
  try {
    body();
  } catch (const Overdue& fault) {
    fail(call, concat(fault.what(), "; ", host_.who_is_late(call.number, verb),
                      "; raise run.timeout_s if steps are slow"));
  } catch (const DeviceFault& fault) {
    fail(call, concat("failed: ", fault.what()));
  } catch (const CommError&) {  // of the host communicator, which names what failed
    give_up(call);
    throw;
  }
}

void NcclCommunicator::give_up(const Call& call) {
  first_failure_ = concat(name(call.verb), " #", call.number, " failed");
  handle_.abort();
}

void NcclCommunicator::fail(const Call& call, const std::string& reason) {
  give_up(call);
  throw CommError(concat(call.text(), " on GPU ", device_, " ", reason));
}

bool NcclCommunicator::is_reached() const {
  const cudaError_t code = cudaEventQuery(resources_.event);
  if (code == cudaErrorNotReady) {
    static_cast<void>(cudaGetLastError());  // it is remembered, and others would trip over it
    return false;
  }
  check(code, "cudaEventQuery");
  return true;
}

}  // namespace kantor::nccl
