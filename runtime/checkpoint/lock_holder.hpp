#pragma once

#include <string>

#include "runtime/data/file_system.hpp"

namespace kantor::checkpoint {

// What a lock's file says of the process that has it: "pid 123 on host a", and for other processes
// of the same host how to tell it from a later one with its number.

/// The lock text of this process.
std::string own_lock_text();

/// Up to some hundred letters of the file from its start; "" if it cannot be read.
std::string read_lock(data::FileSystem& files, int fd);

/// Replaces what the file holds. @throws IoError.
void write_lock(data::FileSystem& files, int fd, const std::string& text, const std::string& path);

/// "pid 123 on host a", or "unknown".
std::string holder_name(const std::string& text);

/// Unknown: of another host or container, or since before a restart of the host.
enum class Life { alive, dead, unknown };
Life life_of(const std::string& text);

}  // namespace kantor::checkpoint
