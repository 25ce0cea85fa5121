#include "solvers/sinkhorn/error_watch.hpp"

#include <cmath>
#include <limits>

#include "distributed/collectively.hpp"
#include "runtime/core/error.hpp"

namespace kantor::sinkhorn {

void check_is_number(double error, std::int64_t iterations, const char* label,
                     const Communicator& world) {
  if (!std::isnan(error)) return;
  fail_on_all_ranks(world, NumericError(concat(label, " met NaN after ", iterations,
                                               " iterations; raise problem.epsilon or use "
                                               "run.precision = \"float64\"")));
}

ErrorWatch::ErrorWatch(const Stopping& stopping, bool has_exact_columns, const char* label,
                       Context& context)
    : stopping_(stopping),
      label_(label),
      context_(context),
      implausible_(has_exact_columns ? Implausible::kLargest
                                     : std::numeric_limits<double>::infinity()) {}

void ErrorWatch::observe(double error, MomentumControl& momentum, Report& report) {
  stall_.observe(report.iterations, stopping_.max_iterations, error);
  report.is_stalled = stall_.has_stalled();
  observe(error, momentum, report.iterations);
  if (!implausible_.observe(error)) return;
  fail_on_all_ranks(
      context_.world,
      NumericError(concat(label_, ": the marginal error is ", error, " after ", report.iterations,
                          " iterations, where 2 is the most that a plan can have: the costs are "
                          "too large beside epsilon for run.precision; raise problem.epsilon or "
                          "use \"float64\"")));
}

void ErrorWatch::observe(double error, MomentumControl& momentum, std::int64_t iterations) const {
  if (momentum.has_given_up()) return;
  momentum.observe(error);
  if (!momentum.has_given_up()) return;
  context_.log.warn_once(concat("solver.sinkhorn.momentum = ", stopping_.momentum.weight,
                                " is too much: the marginal error rose to ", error, " after ",
                                iterations, " iterations; plain updates from here on"));
}

}  // namespace kantor::sinkhorn
