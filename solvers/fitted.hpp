#pragma once

// A finished run, asked anew. Shapes: K new points, D dimensions.

#include <cstdint>
#include <span>
#include <vector>

namespace kantor {

struct Evaluation {
  std::vector<double> potential;  ///< [K]
  std::vector<double> map;        ///< [K, D] in the space of the other marginal
};

/// Each solver makes one of what its runs have stored (SolverEntry::restore). What it cannot answer
/// is a UsageError that says what could.
class Fitted {
 public:
  virtual ~Fitted() = default;

  /// D of the points of a marginal. @throws UsageError: it takes none.
  virtual std::int64_t num_dims(std::size_t marginal) const = 0;
  /// Whether there is an entropic map.
  virtual bool has_map() const = 0;
  /// @param marginal which one the points belong to. @param points [K, D] row-major.
  /// @throws DataError if the points do not fit, or are so far away that it is no number.
  std::vector<double> potential(std::int64_t marginal, std::span<const double> points) const;
  /// The entropic map from a marginal to the other one, and the potential, which comes with it.
  /// @throws as potential().
  Evaluation map(std::int64_t from, std::span<const double> points, bool debiased) const;

 private:
  virtual std::vector<double> potential_at(std::size_t marginal,
                                           std::span<const double> points) const = 0;
  virtual Evaluation map_from(std::size_t marginal, std::span<const double> points,
                              bool debiased) const = 0;
  void check(std::int64_t marginal, std::span<const double> points) const;
};

}  // namespace kantor
