#include "runtime/core/error.hpp"

namespace kantor {

void throw_check_failure(const char* condition, const char* file, int line,
                         const std::string& message) {
  throw ValueError(concat(message, " (", condition, " failed at ", file, ":", line, ")"));
}

}  // namespace kantor
