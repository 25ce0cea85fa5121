#include "runtime/core/workspace.hpp"

#include <malloc.h>

#include <algorithm>
#include <utility>

namespace kantor {

namespace {
constexpr std::size_t kWorthTrimming = 1 << 20;
}

Workspace::Frame::Frame(Workspace& workspace)
    : workspace_(workspace),
      block_(workspace.block_),
      used_(workspace.used_),
      taken_(workspace.taken_) {
  ++workspace_.depth_;
}

Workspace::Frame::~Frame() {
  workspace_.block_ = block_;
  workspace_.used_ = used_;
  workspace_.taken_ = taken_;
  if (--workspace_.depth_ == 0 && workspace_.blocks_.size() > 1) workspace_.merge();
}

std::size_t Workspace::capacity_bytes() const {
  std::size_t total = 0;
  for (const Block& block : blocks_) total += block.size;
  return total;
}

void* Workspace::take(std::size_t bytes) {
  constexpr std::size_t line = 64;
  constexpr std::size_t smallest_block = 1 << 16;
  bytes = (bytes + line - 1) / line * line;
  while (block_ < blocks_.size() && blocks_[block_].size - used_ < bytes) {
    ++block_;
    used_ = 0;
  }
  if (block_ == blocks_.size()) blocks_.push_back(allocate(std::max(bytes, smallest_block)));
  void* result = blocks_[block_].data.get() + used_;
  used_ += bytes;
  taken_ += bytes;
  most_taken_ = std::max(most_taken_, taken_);
  return result;
}

Workspace::Block Workspace::allocate(std::size_t bytes) {
  Block block{{}, bytes};
  block.data.reset(static_cast<std::byte*>(::operator new (bytes, std::align_val_t{64})));
  ++num_allocations_;
  return block;
}

/// One block in place of several, as large as the largest use: the next call then finds all it
/// needs side by side.
void Workspace::merge() {
  blocks_.clear();
  if (most_taken_ > kWorthTrimming) malloc_trim(0);  // else the heap keeps them beside the new one
  try {
    blocks_.push_back(allocate(most_taken_));
  } catch (const std::bad_alloc&) {  // asked again, and reported, by the next take()
  }
}

}  // namespace kantor
