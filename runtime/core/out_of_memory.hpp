#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string_view>

#include "runtime/core/error.hpp"

namespace kantor {

/// Whether an allocation failed: one of the language's errors, or a tensor library's.
inline bool is_out_of_memory(const std::exception& error) {
  return dynamic_cast<const std::bad_alloc*>(&error) != nullptr ||
         dynamic_cast<const std::length_error*>(&error) != nullptr ||
         std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos;
}

/// What people are told of a failed allocation. What asks for more than there is is the problem or
/// its settings.
inline ConfigError out_of_memory_error() {
  return ConfigError(
      "not enough memory for the problem as it is set up; lower what makes arrays large (the "
      "points, "
      "solver.neural.batch, network.width or evaluation_points, a generator's n), or use more "
      "hosts; "
      "kantor run --dry-run says what the solver takes");
}

}  // namespace kantor
