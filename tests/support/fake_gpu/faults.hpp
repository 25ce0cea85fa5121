#pragma once

#include <string>

namespace kantor::fake_gpu {

enum class Kind { work, code, pending, nothing, async };

/// What a call should do.
struct Action {
  Kind kind = Kind::work;
  int value = 0;
};

/// Counts the call and finds the fault that is due, if any; "hang" never returns.
Action next(const char* function);

/// A number from the environment.
int setting(const char* variable, int otherwise);
/// The rank that mpirun gave; 0 without.
int own_rank();
int polls();
int delay();

}  // namespace kantor::fake_gpu
