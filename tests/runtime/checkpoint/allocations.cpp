#include "tests/runtime/checkpoint/allocations.hpp"

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

namespace {

std::atomic<std::size_t> live{0};
std::atomic<std::size_t> peak{0};

}  // namespace

void* operator new(std::size_t size) {
  void* block = std::malloc(size);
  if (block == nullptr) throw std::bad_alloc();
  const std::size_t now = live += malloc_usable_size(block);
  if (now > peak) peak = now;  // tests run in one thread
  return block;
}

void operator delete(void* block) noexcept {
  live -= malloc_usable_size(block);
  std::free(block);
}

void operator delete(void* block, std::size_t) noexcept { operator delete(block); }

namespace kantor::test {

AllocationPeak::AllocationPeak() : start_(live) { peak = start_; }

std::size_t AllocationPeak::bytes() const { return peak - start_; }

}  // namespace kantor::test
