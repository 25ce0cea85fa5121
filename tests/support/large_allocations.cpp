#include "tests/support/large_allocations.hpp"

#include <malloc.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::int64_t> num_large{0};
std::atomic<std::int64_t> live{0};
std::atomic<std::int64_t> most_live{0};

void* counted(std::size_t size, std::size_t alignment) {
  constexpr std::size_t large = 4096;
  if (size >= large) ++num_large;
  void* data = std::aligned_alloc(alignment, (size + alignment - 1) / alignment * alignment);
  if (data == nullptr) throw std::bad_alloc();
  const std::int64_t now = live += static_cast<std::int64_t>(malloc_usable_size(data));
  std::int64_t most = most_live;
  while (now > most && !most_live.compare_exchange_weak(most, now)) {
  }
  return data;
}

void release(void* data) {
  live -= static_cast<std::int64_t>(malloc_usable_size(data));
  std::free(data);
}

}  // namespace

namespace kantor::test {
std::int64_t num_large_allocations() { return num_large; }
std::int64_t live_bytes() { return live; }
std::int64_t most_live_bytes() { return most_live; }
void forget_most_live_bytes() { most_live = live.load(); }
}  // namespace kantor::test

void* operator new(std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new[](std::size_t size) { return counted(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* data) noexcept { release(data); }
void operator delete[](void* data) noexcept { release(data); }
void operator delete(void* data, std::size_t) noexcept { release(data); }
void operator delete[](void* data, std::size_t) noexcept { release(data); }
void operator delete(void* data, std::align_val_t) noexcept { release(data); }
void operator delete[](void* data, std::align_val_t) noexcept { release(data); }
void operator delete(void* data, std::size_t, std::align_val_t) noexcept { release(data); }
void operator delete[](void* data, std::size_t, std::align_val_t) noexcept { release(data); }
