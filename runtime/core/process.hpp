#pragma once

#include <cstdint>
#include <string>

namespace kantor {

/// Resident set size of this process, now and at its largest. [bytes]
std::int64_t resident_bytes();
std::int64_t peak_resident_bytes();

/// Memory that new allocations can use without swapping, on this host. [bytes]
std::int64_t available_memory_bytes();

/// Cores this process may run on (its affinity mask).
int num_available_cores();

/// The processor's name as /proc/cpuinfo has it; "unknown" where it has none.
std::string cpu_model();

std::string host_name();

/// Seconds on a clock that never goes back.
double monotonic_seconds();

}  // namespace kantor
