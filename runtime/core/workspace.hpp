#pragma once

// Scratch memory that outlives the calls which use it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

namespace kantor {

/// A stack of uninitialised numbers on cache-line boundaries that only grows: calls that take the
/// same sizes again find the memory of the first one, and allocate nothing. It holds what the
/// largest call so far took, until it is destroyed. One thread at a time.
class Workspace {
 public:
  Workspace() = default;
  Workspace(const Workspace&) = delete;
  Workspace& operator=(const Workspace&) = delete;

  /// What is taken in a frame is given back when it ends; frames nest.
  class Frame {
   public:
    explicit Frame(Workspace& workspace);
    ~Frame();
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

    /// @return [count] numbers, uninitialised, until the frame ends.
    /// @throws std::bad_alloc.
    template <class T>
    T* take(std::int64_t count) {
      return static_cast<T*>(workspace_.take(static_cast<std::size_t>(count) * sizeof(T)));
    }

   private:
    Workspace& workspace_;
    std::size_t block_;
    std::size_t used_;
    std::size_t taken_;
  };

  std::size_t capacity_bytes() const;
  /// How often memory was asked of the system.
  std::int64_t num_allocations() const { return num_allocations_; }

 private:
  struct Free {
    void operator()(std::byte* data) const { ::operator delete (data, std::align_val_t{64}); }
  };
  struct Block {
    std::unique_ptr<std::byte, Free> data;
    std::size_t size = 0;
  };

  void* take(std::size_t bytes);
  Block allocate(std::size_t bytes);
  void merge();

  std::vector<Block> blocks_;  ///< one, but for the frames in which it proved too small
  std::size_t block_ = 0;      ///< the one in use
  std::size_t used_ = 0;       ///< bytes of it
  std::size_t taken_ = 0;      ///< by the open frames
  std::size_t most_taken_ = 0;
  int depth_ = 0;  ///< open frames
  std::int64_t num_allocations_ = 0;
};

}  // namespace kantor
