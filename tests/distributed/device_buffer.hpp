#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "tests/support/fake_gpu/fake_gpu.hpp"

namespace kantor::test {

/// Numbers in device memory; what the verbs under way use must outlive them.
template <class T>
class DeviceBuffer {
 public:
  explicit DeviceBuffer(const std::vector<T>& values)
      : size_(values.size()), data_(static_cast<T*>(fake_gpu::allocate(bytes()))) {
    fake_gpu::write(data_, values.data(), bytes());
  }
  ~DeviceBuffer() { fake_gpu::release(data_); }
  DeviceBuffer(const DeviceBuffer&) = delete;
  DeviceBuffer& operator=(const DeviceBuffer&) = delete;

  std::span<T> span() const { return {data_, size_}; }
  std::vector<T> values() const {
    std::vector<T> result(size_);
    fake_gpu::read(result.data(), data_, bytes());
    return result;
  }

 private:
  std::size_t bytes() const { return size_ * sizeof(T); }
  std::size_t size_;
  T* data_;
};

template <class T>
std::span<const T> constant(std::span<T> span) {
  return span;
}

}  // namespace kantor::test
