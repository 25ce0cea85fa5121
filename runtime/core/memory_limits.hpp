#pragma once

// What a container or a job leaves a process of the memory of its host.

#include <cstdint>
#include <filesystem>
#include <string>

namespace kantor {

/// The least that any of a process's control groups, or those above them, still allows; the largest
/// number if none limits it. What the kernel would give up (pages of files, of those in use half)
/// counts as free.
/// @param mount       where they are mounted, version 1 and 2: /sys/fs/cgroup.
/// @param memberships text of /proc/self/cgroup: lines "id:controllers:path".
std::int64_t memory_left_by_cgroups(const std::filesystem::path& mount,
                                    const std::string& memberships);

/// The same of the address space (ulimit -v).
std::int64_t memory_left_by_ulimit();

}  // namespace kantor
