#pragma once

#include <array>

#include "distributed/nccl/device_resources.hpp"
#include "distributed/nccl/staging.hpp"

namespace kantor::nccl {

class PageLockedStaging final : public Staging {
 public:
  explicit PageLockedStaging(std::size_t bytes);
  ~PageLockedStaging() override;
  PageLockedStaging(const PageLockedStaging&) = delete;
  PageLockedStaging& operator=(const PageLockedStaging&) = delete;

  void* buffer() override { return slots_[turn_].memory; }
  bool is_free() override;
  void send(void* to_device, std::size_t bytes, void* stream) override;

 private:
  struct Slot {
    void* memory = nullptr;
    cudaEvent_t event = nullptr;  ///< behind the copy; one never recorded counts as reached
  };
  std::array<Slot, 2> slots_;
  std::size_t turn_ = 0;
  const std::size_t bytes_;
  const int exceptions_before_;
};

}  // namespace kantor::nccl
