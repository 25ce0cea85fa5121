#include "runtime/checkpoint/frame.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string_view>

#include "runtime/core/error.hpp"
#include "runtime/data/fingerprint.hpp"

namespace kantor::checkpoint {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

// As in PNG: a first byte beyond ASCII and both line ends show transfers that were not binary.
constexpr std::array<char, 8> kMagic = {'\x89', 'K', 'A', 'N', 'T', '\r', '\n', '\x1a'};
constexpr std::array<char, 8> kTrailerMagic = {'K', 'A', 'N', 'T', '-', 'E', 'N', 'D'};
constexpr std::uint32_t kByteOrder = 0x01020304;
constexpr std::uint32_t kSwappedByteOrder = 0x04030201;

using Bytes = std::span<const std::byte>;

/// Files are far below 2^63 bytes wherever this is called.
std::uint64_t aligned(std::uint64_t offset) {
  return (offset + kAlignment - 1) / kAlignment * kAlignment;
}

template <class T>
T value_at(Bytes bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

template <class T>
void put(std::vector<std::byte>& bytes, std::size_t offset, const T& value) {
  std::memcpy(bytes.data() + offset, &value, sizeof value);
}

std::uint64_t header_checksum(const Header& header) {
  return data::checksum(
      std::as_bytes(std::span(&header, 1)).first(offsetof(Header, header_checksum)));
}

std::string shown(const Tag& tag) {
  const std::string_view text(tag.data(), tag.size());
  return std::string(text.substr(0, text.find('\0')));
}

/// The table, whose checksum holds, with every section in its place.
std::vector<TableEntry> check_table(Bytes file, const Header& header) {
  const auto count = static_cast<std::size_t>(header.num_sections);
  const Bytes stored = file.subspan(sizeof(Header), count * sizeof(TableEntry));
  if (data::checksum(stored) != header.table_checksum) {
    throw DataError("its section table is damaged (checksum differs)");
  }
  std::vector<TableEntry> table(count);
  if (count > 0) std::memcpy(table.data(), stored.data(), stored.size());
  const std::uint64_t end = file.size() - sizeof(Trailer);
  std::uint64_t next = aligned(sizeof(Header) + stored.size());
  for (const TableEntry& entry : table) {
    if (entry.offset != next || next > end || entry.length > end - next) {
      throw DataError(concat("section '", shown(entry.tag), "' of ", entry.length,
                             " bytes at byte ", entry.offset, " does not fit into the file of ",
                             file.size(), " bytes"));
    }
    next = aligned(entry.offset + entry.length);
  }
  if (next != end) {
    throw DataError(concat("its sections end at byte ", next, ", expected ", end));
  }
  return table;
}

}  // namespace

std::vector<std::byte> frame(std::span<const Section> sections) {
  KANTOR_CHECK(sections.size() <= kMostSections, sections.size(), " sections");
  std::vector<TableEntry> table;
  std::uint64_t next = aligned(sizeof(Header) + sections.size() * sizeof(TableEntry));
  for (const Section& section : sections) {
    table.push_back({.tag = section.tag,
                     .offset = next,
                     .length = section.bytes.size(),
                     .checksum = data::checksum(section.bytes)});
    next = aligned(next + section.bytes.size());
  }
  const Bytes table_bytes = std::as_bytes(std::span(table));
  Header header{.magic = kMagic,
                .byte_order = kByteOrder,
                .format_version = kFormatVersion,
                .total_bytes = next + sizeof(Trailer),
                .num_sections = sections.size(),
                .table_checksum = data::checksum(table_bytes),
                .reserved = {},
                .header_checksum = 0};
  header.header_checksum = header_checksum(header);

  std::vector<std::byte> file(static_cast<std::size_t>(header.total_bytes));
  put(file, 0, header);
  std::copy(table_bytes.begin(), table_bytes.end(), file.begin() + sizeof(Header));
  for (std::size_t i = 0; i < sections.size(); ++i) {
    std::copy(sections[i].bytes.begin(), sections[i].bytes.end(),
              file.begin() + static_cast<std::ptrdiff_t>(table[i].offset));
  }
  const auto end = static_cast<std::size_t>(next);
  put(file, end, Trailer{kTrailerMagic, data::checksum(Bytes(file).first(end))});
  return file;
}

Header check_header(Bytes beginning, std::size_t file_bytes) {
  if (beginning.size() < sizeof(Header)) {
    throw DataError(concat("it has ", file_bytes, " bytes, too few for a checkpoint"));
  }
  const auto header = value_at<Header>(beginning, 0);
  if (header.magic != kMagic) throw DataError("it is not a checkpoint (no magic number)");
  if (header.byte_order == kSwappedByteOrder) {
    throw DataError("it was written on a machine of the other byte order");
  }
  if (header.byte_order != kByteOrder || header.header_checksum != header_checksum(header)) {
    throw DataError("its header is damaged (checksum differs)");
  }
  if (header.format_version != kFormatVersion) {
    throw DataError(concat("it has format ", header.format_version, ", this kantor reads format ",
                           kFormatVersion, "; use a newer kantor"));
  }
  if (header.total_bytes != file_bytes) {
    throw DataError(
        concat("it has ", file_bytes, " bytes, expected ", header.total_bytes,
               file_bytes < header.total_bytes ? ": it is truncated" : ": something was appended"));
  }
  // The first condition keeps the product of the second small.
  if (header.num_sections > kMostSections ||
      sizeof(Header) + header.num_sections * sizeof(TableEntry) + sizeof(Trailer) > file_bytes) {
    throw DataError(concat("it announces ", header.num_sections, " sections in ", file_bytes,
                           " bytes; at most ", kMostSections, " are allowed"));
  }
  return header;
}

std::vector<Section> unframe(Bytes file) {
  const Header header = check_header(file, file.size());
  const std::vector<TableEntry> table = check_table(file, header);
  std::vector<Section> sections;
  sections.reserve(table.size());
  for (const TableEntry& entry : table) {
    const Bytes bytes = file.subspan(static_cast<std::size_t>(entry.offset),
                                     static_cast<std::size_t>(entry.length));
    if (data::checksum(bytes) != entry.checksum) {
      throw DataError(concat("section ", sections.size(), " ('", shown(entry.tag), "', ",
                             entry.length, " bytes) is damaged (checksum differs)"));
    }
    sections.push_back({entry.tag, bytes});
  }
  const std::size_t end = file.size() - sizeof(Trailer);
  const auto trailer = value_at<Trailer>(file, end);
  if (trailer.magic != kTrailerMagic || trailer.checksum != data::checksum(file.first(end))) {
    throw DataError("its padding or its trailer is damaged (checksum of the whole file differs)");
  }
  return sections;
}

}  // namespace kantor::checkpoint
