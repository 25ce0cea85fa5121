#pragma once

#include <cstdint>
#include <string>

namespace kantor::data {

class Marginal;

/// As find_nonfinite(), and of a number beyond `largest` too.
std::string find_beyond(const Marginal& marginal, std::int64_t first, std::int64_t last,
                        double largest);

}  // namespace kantor::data
