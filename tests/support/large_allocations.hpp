#pragma once

#include <cstdint>

namespace kantor::test {

/// How often this program has asked operator new for 4 KiB or more: closures and the like are not
/// meant. Linked in, it replaces operator new.
std::int64_t num_large_allocations();

/// Bytes that operator new has given and not got back, now and at most since the last call of
/// forget_most_live_bytes().
std::int64_t live_bytes();
std::int64_t most_live_bytes();
void forget_most_live_bytes();

}  // namespace kantor::test
