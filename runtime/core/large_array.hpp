#pragma once

// Memory for arrays that are made once and read many times over.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>

namespace kantor {

/// Numbers on a cache line's boundary, not initialised: the threads that fill them touch them
/// first. Not on pages of 2 MB: where memory is fragmented, those took longer to get than a hundred
/// passes gained by them.
template <class T>
class LargeArray {
 public:
  LargeArray() = default;
  /// @throws std::bad_alloc.
  explicit LargeArray(std::int64_t count)
      : data_(static_cast<T*>(
            ::operator new(static_cast<std::size_t>(count) * sizeof(T), kAlignment))) {}

  bool is_empty() const { return data_ == nullptr; }
  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }

 private:
  static constexpr auto kAlignment = std::align_val_t{64};
  struct Free {
    void operator()(T* data) const { ::operator delete(data, kAlignment); }
  };
  std::unique_ptr<T, Free> data_;
};

}  // namespace kantor
