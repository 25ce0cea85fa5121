#pragma once

// What stands between the points of a batch, which a network sees, and those whose costs are
// reduced. Shapes: B points.

#include <ATen/core/Tensor.h>

namespace kantor::neural {

class PairLift {
 public:
  virtual ~PairLift() = default;
  /// @param points [B, D_x]. @return [B, D] of the same type, on the same device.
  virtual at::Tensor x(const at::Tensor& points) const = 0;
  virtual at::Tensor y(const at::Tensor& points) const = 0;
};

}  // namespace kantor::neural
