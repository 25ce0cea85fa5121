#include "runtime/data/mapping_table.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

namespace kantor::data {

/// Taken and given back without a lock, which a handler could not wait for. The slot of a fault
/// stands still, because the thread that met it is within the mapping's life.
struct Slot {
  static constexpr std::size_t kLongestPath = 1023;
  std::atomic<bool> is_taken{false};
  std::atomic<std::uintptr_t> begin{0};  ///< 0: nothing is listed
  std::atomic<std::size_t> size{0};
  int descriptor = -1;
  std::array<char, kLongestPath + 1> path{};
};

namespace {

constexpr std::size_t kMostMappings = 256;
std::array<Slot, kMostMappings> slots;

Slot* take_slot() {
  for (Slot& slot : slots) {
    if (!slot.is_taken.exchange(true)) return &slot;
  }
  return nullptr;
}

}  // namespace

ListedMapping::ListedMapping(std::span<const std::byte> bytes, int descriptor,
                             const std::string& path)
    : slot_(take_slot()) {
  if (slot_ == nullptr) return;
  slot_->descriptor = descriptor;
  const std::size_t length = std::min(path.size(), Slot::kLongestPath);
  std::copy_n(path.begin(), length, slot_->path.begin());
  slot_->path[length] = '\0';
  slot_->size = bytes.size();
  slot_->begin = reinterpret_cast<std::uintptr_t>(bytes.data());  // last: from here on it is listed
}

ListedMapping::~ListedMapping() {
  if (slot_ == nullptr) return;
  slot_->begin = 0;
  slot_->is_taken = false;
}

std::optional<MappingFault> mapping_fault_at(const void* address) {
  const auto fault = reinterpret_cast<std::uintptr_t>(address);
  for (const Slot& slot : slots) {
    const std::uintptr_t begin = slot.begin;
    const std::size_t size = slot.size;
    if (begin == 0 || fault < begin || fault - begin >= size) continue;
    struct stat status {};
    const bool is_known = ::fstat(slot.descriptor, &status) == 0;
    return MappingFault{.path = slot.path.data(),
                        .at = fault - begin,
                        .size = size,
                        .size_now = is_known ? static_cast<std::size_t>(status.st_size) : 0};
  }
  return std::nullopt;
}

}  // namespace kantor::data
