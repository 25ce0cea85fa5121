#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "runtime/checkpoint/snapshot.hpp"
#include "runtime/data/file_system.hpp"

namespace kantor::checkpoint {

/// The bytes of a checkpoint file (frame.hpp): metadata, then the tensors.
/// @throws ValueError if the snapshot breaks a limit (broken_limit()).
std::vector<std::byte> encode(const Snapshot& snapshot);

/// @throws DataError: damaged, of a newer format, or no checkpoint. Memory beyond `file` is at most
/// its size and a few times its metadata.
Snapshot decode(std::span<const std::byte> file);

/// Writes bytes of encode() aside, synchronises, reads them back and checks them, renames and
/// synchronises the folder: at any moment the name holds what it held before or all of this.
/// @throws IoError; DataError if what was read back is damaged.
void write_checkpoint(const std::string& path, std::vector<std::byte> bytes,
                      data::FileSystem& files);
void write_checkpoint(const std::string& path, const Snapshot& snapshot);

/// Checked as a whole like read_checkpoint(), but the tensors are left without their data.
Snapshot read_outline(const std::string& path, data::FileSystem& files);

/// @throws DataError: missing or invalid, with the path; IoError: it cannot be read.
Snapshot read_checkpoint(const std::string& path, data::FileSystem& files);
Snapshot read_checkpoint(const std::string& path);

}  // namespace kantor::checkpoint
