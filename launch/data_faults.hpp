#pragma once

#include <functional>

#include "runtime/core/error.hpp"

namespace kantor::launch {

/// From now on, a mapped data file that cannot be read any further, since it was cut short or its
/// disk fails, ends this process by a line that names it, and code 3 or 74, in place of a bare
/// SIGBUS. Once per process, before MPI starts (which leaves a handler alone that is there).
void catch_data_faults();

/// What is done at such an end while the object lives, the innermost first; then the process
/// leaves. They nest: one thread makes all of them. The call comes from whichever thread met the
/// fault.
class AtDataFault {
 public:
  using Act = std::function<void(const Error&)>;
  explicit AtDataFault(Act act);
  ~AtDataFault();
  AtDataFault(const AtDataFault&) = delete;
  AtDataFault& operator=(const AtDataFault&) = delete;

  const AtDataFault* outer() const { return outer_; }
  void act(const Error& error) const { act_(error); }

 private:
  Act act_;
  const AtDataFault* outer_;
};

}  // namespace kantor::launch
