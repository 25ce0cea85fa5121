#include "solvers/sinkhorn/advice.hpp"

#include <algorithm>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "solvers/sinkhorn/implausible.hpp"

namespace kantor::sinkhorn {

std::string advice_of(const Shortfall& shortfall, const SinkhornConfig& config,
                      const std::string& precision) {
  const auto number = [](double value) { return format_digits(value, 7); };
  double largest = 0;
  for (const double each : shortfall.marginal_error) largest = std::max(largest, each);
  const std::string error = concat("marginal_error ", format_digits(largest, 2));
  if (shortfall.has_wide_gap && !shortfall.upper) {
    return concat(
        "not converged: no plan was found whose mass avoids all forbidden pairs; with a "
        "marginal_error of ",
        format_digits(largest, 2),
        " so much of it would have to move that the search was given up; in a new --out, raise "
        "solver.sinkhorn.max_iterations or lower .tolerance");
  }
  if (shortfall.has_wide_gap && largest <= 2 * config.tolerance) {
    return concat("not converged: ", error,
                  " is within solver.sinkhorn.tolerance, but what the plan lacks costs so much "
                  "that the proven gap is ",
                  format_digits(*shortfall.upper - shortfall.lower, 2), ", from ",
                  number(shortfall.lower), " to ", number(*shortfall.upper),
                  "; in a new --out, lower solver.sinkhorn.tolerance");
  }
  const std::string what =
      concat("not converged: ", error, " > solver.sinkhorn.tolerance ", number(config.tolerance),
             " after ", shortfall.iterations, " iterations; in a new --out, ");
  const bool is_single = precision == "float32";
  // No plan has such an error: another tolerance would not help.
  if (!(largest <= Implausible::kLargest)) {
    return what + (is_single ? "use run.precision = \"float64\" or raise problem.epsilon"
                             : "raise problem.epsilon");
  }
  // Its own measure was too coarse to see the rest, or its steps to get there.
  if (shortfall.iterations < config.max_iterations || (shortfall.is_stalled && is_single)) {
    return what + "use run.precision = \"float64\" or raise solver.sinkhorn.tolerance";
  }
  return concat(what, "raise solver.sinkhorn.max_iterations or problem.epsilon", shortfall.or_else);
}

}  // namespace kantor::sinkhorn
