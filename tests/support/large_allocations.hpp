#pragma once

#include <cstdint>

namespace kantor::test {

/// How often this program has asked operator new for 4 KiB or more: closures and the like are not
/// meant. Linked in, it replaces operator new.
std::int64_t num_large_allocations();

}  // namespace kantor::test
