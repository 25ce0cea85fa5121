#pragma once

#include "runtime/core/error.hpp"
#include "runtime/kernels/cost_matrix.hpp"
#include "runtime/kernels/cuda/device_soft_min.hpp"

namespace kantor::cuda {

/// A cost as the kernels take it. @throws ValueError: none of CostKind.
inline PairCost pair_cost(const kernels::Cost& cost) {
  switch (cost.kind) {
    case kernels::CostKind::sqeuclidean:
      return {CostForm::products, 1, 2, 2};
    case kernels::CostKind::half_sqeuclidean:
      return {CostForm::products, .5, 1, 2};
    case kernels::CostKind::dot:
      return {CostForm::products, 0, 1, 2};
    case kernels::CostKind::euclidean:
      return {CostForm::distance, 0, 0, 2};
    case kernels::CostKind::pnorm:
      return {CostForm::powers, 0, 0, cost.p};
  }
  throw ValueError(concat("cost kind ", static_cast<int>(cost.kind), " is not one of CostKind"));
}

}  // namespace kantor::cuda
