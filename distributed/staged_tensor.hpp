#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "distributed/communicator.hpp"
#include "distributed/nccl/staging.hpp"

namespace kantor {

/// A tensor that the host fills anew for each step, and its copy on a device. On the CPU both are
/// one; to a GPU it goes through page-locked memory, and nobody waits for the copy; without the
/// library that gives it, sending waits.
class StagedTensor {
 public:
  StagedTensor(std::vector<std::int64_t> shape, at::ScalarType type, const at::Device& device);
  /// @param staging null: a plain copy, on the CPU none.
  StagedTensor(std::vector<std::int64_t> shape, at::ScalarType type, const at::Device& device,
               std::unique_ptr<Staging> staging);

  /// To be filled, then sent. Where the device is two rounds behind it waits, and is ended by what
  /// ends the verbs that `world` has under way: so far a host may run ahead.
  at::Tensor host(Communicator& world);
  /// What was filled, on the device. A new tensor each time, unless both are one.
  at::Tensor send();

 private:
  std::vector<std::int64_t> shape_;
  at::TensorOptions options_;  ///< on the device
  std::unique_ptr<Staging> staging_;
  at::Tensor own_;  ///< on the host, where there is no staging
};

}  // namespace kantor
