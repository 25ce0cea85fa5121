#pragma once

#include <cstddef>
#include <memory>

namespace kantor::launch {

/// Memory for the signal handlers of the calling thread, from here on and until the end of the
/// scope. Every thread that works with tensors needs one where a handler is installed: products of
/// oneDNN take the stack pointer for an ordinary register, so that a handler on the thread's own
/// stack would write over the numbers of a tensor, or over the heap.
class SignalStack {
 public:
  /// @throws NumericError if the system refuses.
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  std::unique_ptr<std::byte[]> memory_;
};

}  // namespace kantor::launch
