#pragma once

// The two sides of a Gromov-Wasserstein problem, and the EOT problem between their lifted points
// that stands for it at a matrix A. Shapes: N points x of DX coordinates, M points y of DY; A
// [DX, DY]; features s, t of DS coordinates where the problem is fused.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "solvers/egw/lift.hpp"
#include "solvers/eot/pair.hpp"

namespace kantor::egw {

struct Side {
  Space own;
  std::optional<Space> shared = {};  ///< features in the space of both sides
};

/// What c_A has of one point of a side alone beside -<u, v>; with it, a potential of lifted points
/// is one of c_A.
struct TermAlone {
  double constant = 0;
  double square = 0;                ///< of |x'|^2
  std::vector<double> linear = {};  ///< [D], or none
  double shared_square = 0;
  std::vector<double> shared_linear = {};  ///< [DS], or none

  /// @param point, shared about their means; shared may be empty.
  double at(std::span<const double> point, std::span<const double> shared) const;
};

/// alpha E[distortion] + (1 - alpha) E|s - t|^2 + epsilon KL, whose least value is that of
///   constant + min over A of weight |A|^2 + OT of a cost c_A.
/// c_A is -<u(x), v(y)> between points lifted about their means, but for terms of x or y alone,
/// which change no plan. A is on one side of the product: u(x) of x A, or v(y) of A y.
class Spaces {
 public:
  explicit Spaces(const Problem& problem);

  const Space& space(std::size_t k) const { return sides_[k].own; }
  std::int64_t n(std::size_t k) const { return space(k).cloud.n(); }
  std::int64_t d(std::size_t k) const { return space(k).cloud.d(); }
  std::size_t size_of_alignment() const;
  bool is_fused() const { return alpha_ < 1; }
  bool has_alignment() const { return alpha_ > 0; }  ///< else all is in the features
  double weight() const { return alpha_ * distortion_.weight; }
  /// E x x^T that the distortion sees, of space k. [D, D]
  std::vector<double> second_moment(std::size_t k) const;
  /// Every stationary A lies in the ball of this Frobenius norm.
  double radius() const;

  /// x with itself, or y.
  Spaces self(std::size_t k) const;
  /// Some seeded points of each, or all where there are no more; weights rescaled. Every rank reads
  /// them all. Local.
  Spaces subsample(std::int64_t limit, std::int64_t seed) const;

  /// Lifted points, cost "dot". Points are read and lifted as they are asked for.
  /// @param k_of_a the side that A is on: the cross moment of the pair then has the points of the
  ///               other side from coordinate first_of_points() on.
  Pair lifted(std::span<const double> alignment, double epsilon, std::size_t k_of_a = 0) const;
  /// Side x of one and side y of another, subsamples of these, lifted as these are: about the means
  /// of these, which are not theirs.
  Pair lifted_between(const Spaces& x, const Spaces& y, std::span<const double> alignment,
                      double epsilon, std::size_t k_of_a = 0) const;
  /// Points of the sides of another about the means of this, features behind them: what networks
  /// see.
  Pair points(const Spaces& of) const;
  /// Points of side k as lifted() has them.
  Lift lift(std::size_t k, std::span<const double> alignment, std::size_t k_of_a) const;
  std::size_t first_of_points() const { return has_alignment() && distortion_.norms > 0 ? 1 : 0; }

  TermAlone term_alone(std::size_t k, std::span<const double> alignment) const;
  /// term_alone() of points first .. first + count - 1 of side k. @return [count].
  std::vector<double> terms_alone(std::size_t k, std::int64_t first, std::int64_t count,
                                  std::span<const double> alignment) const;
  /// The value at A of which E[-<u, v>] + epsilon KL of a plan is a part, or of a bound of that.
  double value(std::span<const double> alignment, double lifted_value) const;
  /// E[x y^T] as the distortion sees it, from that about the means. @param moment [DX, DY].
  std::vector<double> uncentred(std::vector<double> moment) const;

 private:
  Spaces(const Spaces& like, Side x, Side y);
  Cloud lifted_side(std::size_t k, Lift lift) const;
  double constant_alone(std::span<const double> alignment) const;

  Distortion distortion_;
  double alpha_;
  std::array<Side, 2> sides_;
};

/// Frobenius.
double norm_of(std::span<const double> values);

}  // namespace kantor::egw
