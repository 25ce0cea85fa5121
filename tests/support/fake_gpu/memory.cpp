// Two kinds of memory. A device pointer is the address of a page that nobody may touch, so that a
// program which takes it for host memory ends at once, as beside a real GPU; the bytes are
// elsewhere.

#include "tests/support/fake_gpu/memory.hpp"

#include <sys/mman.h>

#include <map>
#include <vector>

namespace kantor::fake_gpu {
namespace {

struct Block {
  std::size_t size = 0;
  std::vector<std::byte> bytes;  // of device memory
};
using Blocks = std::map<const std::byte*, Block>;

Blocks& device_blocks() {
  static Blocks blocks;
  return blocks;
}
Blocks& page_locked_blocks() {
  static Blocks blocks;
  return blocks;
}

/// The block that holds the first byte, or the end.
Blocks::iterator holder(Blocks& blocks, const std::byte* pointer) {
  auto after = blocks.upper_bound(pointer);
  if (after == blocks.begin()) return blocks.end();
  --after;
  return pointer < after->first + after->second.size ? after : blocks.end();
}

bool holds(Blocks& blocks, const void* pointer, std::size_t bytes) {
  const auto* first = static_cast<const std::byte*>(pointer);
  const auto found = holder(blocks, first);
  return found != blocks.end() &&
         bytes <= found->second.size - static_cast<std::size_t>(first - found->first);
}

}  // namespace

bool is_device(const void* pointer, std::size_t bytes) {
  return holds(device_blocks(), pointer, bytes);
}
bool is_page_locked(const void* pointer, std::size_t bytes) {
  return holds(page_locked_blocks(), pointer, bytes);
}

std::byte* bytes_of(const void* pointer) {
  const auto* first = static_cast<const std::byte*>(pointer);
  const auto found = holder(device_blocks(), first);
  if (found == device_blocks().end()) return const_cast<std::byte*>(first);
  return found->second.bytes.data() + (first - found->first);
}

void* allocate_device(std::size_t bytes) {
  void* pages = mmap(nullptr, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return nullptr;
  device_blocks()[static_cast<std::byte*>(pages)] = {bytes, std::vector<std::byte>(bytes)};
  return pages;
}

bool release_device(void* pointer) {
  const auto found = device_blocks().find(static_cast<std::byte*>(pointer));
  if (found == device_blocks().end()) return false;
  munmap(pointer, found->second.size);
  device_blocks().erase(found);
  return true;
}

void* allocate_page_locked(std::size_t bytes) {
  auto* block = new std::byte[bytes];
  page_locked_blocks()[block] = {bytes, {}};
  return block;
}

bool release_page_locked(void* pointer) {
  if (page_locked_blocks().erase(static_cast<std::byte*>(pointer)) == 0) return false;
  delete[] static_cast<std::byte*>(pointer);
  return true;
}

int num_open_blocks() {
  return static_cast<int>(device_blocks().size() + page_locked_blocks().size());
}

}  // namespace kantor::fake_gpu
