#pragma once

// The potential of a network and the matrix A, trained by turns. Shapes: B points x of DX
// coordinates, M points y of DY; A [DX, DY].

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "solvers/egw/spaces.hpp"
#include "solvers/neural/semi_dual.hpp"

namespace kantor::egw {

/// Batches of points about their means, with their features behind them, as Spaces::lifted() has
/// them; A is radius times a parameter.
class AlignedLift final : public neural::PairLift {
 public:
  /// @param alignment [DX, DY] over the radius, of the type and device of the points.
  AlignedLift(const Spaces& spaces, at::Tensor alignment);
  at::Tensor x(const at::Tensor& points) const override;
  at::Tensor y(const at::Tensor& points) const override;

 private:
  at::Tensor lifted(const at::Tensor& points, std::size_t k) const;

  Lift lifts_[2];  ///< with A = 0
  double weight_;  ///< of x^T A y, times the radius
  at::Tensor alignment_;
};

/// Groups of a training: the potential ascends the semi-dual at A, and A descends the value of its
/// plan, whose gradient is 2 weight (A - E[x y^T] / 2) by the envelope theorem.
template <class T>
class AlignedSemiDual final : public Objective {
 public:
  static constexpr std::size_t kPotential = 0, kAlignment = 1;

  /// @param points of both sides about their means, with their features (Spaces::points()).
  /// @param alignment a leaf [DX, DY], A over the radius.
  AlignedSemiDual(const neural::NeuralConfig& config, const Spaces& spaces, const Pair& points,
                  const neural::Potential& potential, at::Tensor alignment, Context& context);

  LocalLoss evaluate(const StepId& id) override;
  /// A stays in the ball that stationary ones lie in.
  void updated(const StepId& id) override;
  std::string remedy(std::size_t group) const override;

 private:
  const Spaces& spaces_;
  Context& context_;
  at::Tensor alignment_;
  at::Tensor mean_moment_;  ///< [DX, DY] what means add to E[x y^T]
  AlignedLift lift_;
  neural::SemiDual<T> semi_dual_;
};

}  // namespace kantor::egw
