#include "solvers/fitted.hpp"

#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"

namespace kantor {
namespace {

/// @param values [K, width]. @throws DataError.
void check_finite(std::span<const double> values, std::size_t width, const char* what) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw DataError(concat("the ", what, " at point ", i / width, " is ", values[i],
                           ": it is so far from the points of the run that what they cost is no "
                           "finite number; expected points near those"));
  }
}

}  // namespace

void Fitted::check(std::int64_t marginal, std::span<const double> points) const {
  if (marginal != 0 && marginal != 1) {
    throw DataError(concat("there is no marginal ", marginal, "; expected 0 or 1"));
  }
  const std::int64_t dims = num_dims(index(marginal));
  if (points.size() % index(dims) != 0) {
    throw DataError(concat(points.size(), " numbers are no points of dimension ", dims));
  }
}

std::vector<double> Fitted::potential(std::int64_t marginal, std::span<const double> points) const {
  check(marginal, points);
  std::vector<double> values = potential_at(index(marginal), points);
  check_finite(values, 1, "potential");
  return values;
}

Evaluation Fitted::map(std::int64_t from, std::span<const double> points, bool debiased) const {
  check(from, points);
  Evaluation result = map_from(index(from), points, debiased);
  check_finite(result.potential, 1, "potential");
  check_finite(result.map, index(num_dims(index(1 - from))), "entropic map");
  return result;
}

}  // namespace kantor
