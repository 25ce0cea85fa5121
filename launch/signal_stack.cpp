#include "launch/signal_stack.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "runtime/core/error.hpp"

namespace kantor::launch {
namespace {

/// The kernel saves all vector registers there, more of them on newer processors.
std::size_t size_in_bytes() {
  constexpr long kLeast = 1 << 16;
  return static_cast<std::size_t>(std::max(sysconf(_SC_SIGSTKSZ), kLeast));
}

}  // namespace

SignalStack::SignalStack() : memory_(std::make_unique<std::byte[]>(size_in_bytes())) {
  stack_t stack{};
  stack.ss_sp = memory_.get();
  stack.ss_size = size_in_bytes();
  if (sigaltstack(&stack, nullptr) != 0) {
    throw NumericError(concat("no stack for signal handlers: ", std::strerror(errno)));
  }
}

SignalStack::~SignalStack() {
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);  // of this thread: fails only within a handler
}

}  // namespace kantor::launch
