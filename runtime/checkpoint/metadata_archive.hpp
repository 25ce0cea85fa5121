#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "runtime/checkpoint/snapshot.hpp"

namespace kantor::checkpoint {

/// Metadata and the table of tensors (names, types, shapes) as a Boost text archive: readable by
/// people, one line or a few. Boost stays behind this header.
/// @param snapshot within its limits.
std::string archive_of(const Snapshot& snapshot);

/// The snapshot with tensors that have no data yet. Text that was not damaged by accident but made
/// up is refused too: every length is checked against the rest of the text and the table of maxima
/// before anything of that length is built. @throws DataError.
Snapshot from_archive(std::span<const std::byte> text);

}  // namespace kantor::checkpoint
