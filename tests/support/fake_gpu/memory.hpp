#pragma once

#include <cstddef>

namespace kantor::fake_gpu {

/// Whether the whole range is device memory, or page-locked host memory.
bool is_device(const void* pointer, std::size_t bytes);
bool is_page_locked(const void* pointer, std::size_t bytes);
/// Where the bytes of device memory really are; the pointer itself for host memory.
std::byte* bytes_of(const void* pointer);

/// Null without memory; false if it is no block of that kind.
void* allocate_device(std::size_t bytes);
bool release_device(void* pointer);
void* allocate_page_locked(std::size_t bytes);
bool release_page_locked(void* pointer);
int num_open_blocks();

}  // namespace kantor::fake_gpu
