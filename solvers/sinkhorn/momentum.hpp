#pragma once

// Over-relaxation: how far beyond its plain update a potential is taken.

#include <cstdint>
#include <vector>

#include "distributed/state_fields.hpp"

namespace kantor::sinkhorn {

/// f <- (1 - weight) f + weight f_plain, and g alike.
struct Momentum {
  double weight = 1;         ///< in (0, 2); 1 = plain
  bool is_adaptive = false;  ///< the weight is found on the way

  bool is_plain() const { return weight == 1 && !is_adaptive; }
};

/// Chooses the weight of each iteration from the errors so far, alike on all ranks.
/// Adaptive: plain until the error contracts steadily by a factor r; then w = 2 / (1 + sqrt(1 -
/// r)), which rises while the error contracts more slowly than w - 1, as it does below the best w;
/// plain again, and for twice as long, if the error rises. Not begun where the plain iteration is
/// about to end. A weight that was given is kept, unless the error explodes: plain from there on,
/// which any finite potentials recover from. Source: Lehmann, von Renesse, Sambale & Uschmajew 2020
/// (arXiv 2012.12562); r from w: Young 1971.
class MomentumControl {
 public:
  MomentumControl(const Momentum& momentum, double tolerance);

  double weight() const { return weight_; }
  /// @param error of the iterate that the last update with weight() gave.
  void observe(double error);

  void describe(const StateFields& fields);

  /// Whether a weight that was given has been left.
  bool has_given_up() const { return !is_adaptive_ && weight_ != given_weight_; }

 private:
  void wait_for_steady_contraction(double error);
  void watch(double error);
  void fall_back();
  double error_before(std::int64_t iterations) const;

  bool is_adaptive_;
  double given_weight_;
  double tolerance_;
  double weight_ = 1;
  double ratio_ = 0;            ///< of the last two errors, 0 if unknown
  double start_error_ = 0;      ///< when momentum began; of a weight that was given, the smallest
  std::int64_t age_ = 0;        ///< errors seen since momentum began or ended
  std::int64_t steady_ = 0;     ///< of them, with a steady ratio
  std::int64_t needed_ = 5;     ///< steady ratios before momentum begins
  std::vector<double> errors_;  ///< [15], of iterations age_ mod 15
};

}  // namespace kantor::sinkhorn
