#include "launch/data_faults.hpp"

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <utility>

#include "runtime/data/mapping_table.hpp"

namespace kantor::launch {
namespace {

// A signal handler can reach nothing but these.
std::atomic<const AtDataFault*> innermost = nullptr;
std::atomic_flag is_leaving;
struct sigaction handled_before {};

[[noreturn]] void leave(const Error& error) {
  for (const AtDataFault* each = innermost; each != nullptr; each = each->outer()) {
    each->act(error);
  }
  _exit(static_cast<int>(error.exit_code()));  // a launcher then ends the other ranks
}

[[noreturn]] void leave(const data::MappingFault& fault) {
  if (fault.at < fault.size_now) {
    leave(IoError(concat("cannot read ", fault.path, ": its disk or file system fails at byte ",
                         fault.at, "; copy the file to another one")));
  }
  leave(DataError(concat("cannot read ", fault.path, ": it was cut from ", fault.size, " bytes to ",
                         fault.size_now,
                         " while it was being read; restore it, leave files alone until the run "
                         "has ended, and start again")));
}

// What follows from here may be ordinary code. The fault is met where a load of ours reads the
// mapping, never inside a function of the C library that holds a lock.
extern "C" void on_bus_error(int, siginfo_t* info, void*) {
  const auto fault = data::mapping_fault_at(info->si_addr);
  if (!fault) {  // it comes again at once, to whoever was there before
    sigaction(SIGBUS, &handled_before, nullptr);
    return;
  }
  while (is_leaving.test_and_set()) pause();  // several threads met it
  leave(*fault);
}

}  // namespace

void catch_data_faults() {
  struct sigaction action {};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;  // see SignalStack
  sigemptyset(&action.sa_mask);
  sigaction(SIGBUS, &action, &handled_before);
}

AtDataFault::AtDataFault(Act act) : act_(std::move(act)), outer_(innermost.exchange(this)) {}

AtDataFault::~AtDataFault() { innermost = outer_; }

}  // namespace kantor::launch
