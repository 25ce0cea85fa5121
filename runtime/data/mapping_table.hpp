#pragma once

// Which file a mapped address belongs to. One table per process, since a fault is the process's:
// its handler can ask for nothing else.

#include <cstddef>
#include <optional>
#include <span>
#include <string>

namespace kantor::data {

struct Slot;

/// While it lives, a fault at an address in these bytes is known to be of this file. (Beyond some
/// hundred mappings at once it is not.)
class ListedMapping {
 public:
  ListedMapping(std::span<const std::byte> bytes, int descriptor, const std::string& path);
  ~ListedMapping();
  ListedMapping(const ListedMapping&) = delete;
  ListedMapping& operator=(const ListedMapping&) = delete;

 private:
  Slot* slot_;  ///< null: the table is full
};

/// A read of a mapped file that could not be served.
struct MappingFault {
  const char* path;      ///< as far as a thousand letters go
  std::size_t at;        ///< byte of the file
  std::size_t size;      ///< when it was mapped [bytes]
  std::size_t size_now;  ///< 0 if that cannot be told
};

/// Nothing if the address is in no listed mapping. Async-signal-safe.
std::optional<MappingFault> mapping_fault_at(const void* address);

}  // namespace kantor::data
