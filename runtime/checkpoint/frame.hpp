#pragma once

// The frame of a checkpoint file, format 1; all numbers little-endian, checksums XXH3-64:
//
//   0            header, 64 bytes
//   64           section table, 32 bytes per section
//   next 64      section 0, 1, ..: each at the next multiple of 64, zeros between
//   next 64      trailer, 16 bytes: its magic and the checksum of every byte before it
//
// The places follow from the lengths, so a file has one valid form and every byte is checked.

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace kantor::checkpoint {

inline constexpr std::uint32_t kFormatVersion = 1;
inline constexpr std::size_t kAlignment = 64;
inline constexpr std::size_t kMostSections = 65537;  ///< metadata and as many tensors as may be
using Tag = std::array<char, 8>;

/// Keeps this form, up to its checksum, in every format, so that any kantor can name the version.
struct Header {
  std::array<char, 8> magic;
  std::uint32_t byte_order;
  std::uint32_t format_version;
  std::uint64_t total_bytes;  ///< of the file
  std::uint64_t num_sections;
  std::uint64_t table_checksum;
  std::array<std::uint64_t, 2> reserved;  ///< 0
  std::uint64_t header_checksum;          ///< of the 56 bytes before
};
static_assert(sizeof(Header) == 64);

struct TableEntry {
  Tag tag;
  std::uint64_t offset;
  std::uint64_t length;
  std::uint64_t checksum;
};
static_assert(sizeof(TableEntry) == 32);

struct Trailer {
  std::array<char, 8> magic;
  std::uint64_t checksum;
};
static_assert(sizeof(Trailer) == 16);

struct Section {
  Tag tag{};
  std::span<const std::byte> bytes;
};

/// The bytes of a file that holds these sections.
std::vector<std::byte> frame(std::span<const Section> sections);

/// Checks every length and checksum, then gives the sections, which point into `file`.
/// Allocates nothing but the list. @throws DataError: what is damaged.
std::vector<Section> unframe(std::span<const std::byte> file);
std::vector<Section> unframe(std::vector<std::byte>&& file) = delete;  // they would dangle

/// The header alone, checked; for a look at a file before memory is taken for all of it.
/// @param file_bytes size of the whole file. @throws DataError.
Header check_header(std::span<const std::byte> beginning, std::size_t file_bytes);

}  // namespace kantor::checkpoint
