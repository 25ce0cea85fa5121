#include "solvers/sinkhorn/symmetric.hpp"

#include <cmath>

#include "runtime/core/error.hpp"

namespace kantor::sinkhorn {

template <class T>
Report iterate_symmetric(const ShardedEot<T>& problem, const Stopping& stopping,
                         std::vector<double>& f, Context& context, const char* label) {
  const auto first = static_cast<std::size_t>(problem.rows().first);
  std::vector<double> part(problem.a().size());  // softmin f, then the next f
  std::vector<double> errors(part.size());
  Report report;
  for (;;) {
    problem.transform_to_x(f, part);
    for (std::size_t i = 0; i < part.size(); ++i) {
      errors[i] = std::abs(std::expm1((f[first + i] - part[i]) / problem.epsilon()));
      part[i] = (f[first + i] + part[i]) / 2;
    }
    report.marginal_error = problem.expectation_x(errors);
    if (report.iterations == 0) report.first_error = report.marginal_error;
    if (std::isnan(report.marginal_error)) {
      fail_alike(context.world, NumericError(concat(label, " met NaN after ", report.iterations,
                                                    " iterations; raise epsilon or use "
                                                    "run.precision = \"float64\"")));
    }
    report.converged = stopping.tolerance > 0 && report.marginal_error <= stopping.tolerance;
    if (report.converged || report.iterations >= stopping.max_iterations) return report;
    f = problem.gather_x(part);
    ++report.iterations;
  }
}

template Report iterate_symmetric(const ShardedEot<float>&, const Stopping&, std::vector<double>&,
                                  Context&, const char*);
template Report iterate_symmetric(const ShardedEot<double>&, const Stopping&, std::vector<double>&,
                                  Context&, const char*);

}  // namespace kantor::sinkhorn
