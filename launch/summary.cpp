#include "launch/summary.hpp"

#include <cmath>
#include <cstdio>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "solvers/neural/neural_config.hpp"
#include "solvers/problem/kind.hpp"
#include "solvers/sinkhorn/implausible.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::launch {
namespace {

/// Seven significant digits: more than any certificate proves, and still one glance.
std::string number(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.7g", value);
  return text;
}

std::string small(double value) {
  char text[40];
  std::snprintf(text, sizeof text, "%.2g", value);
  return text;
}

std::string percent_off(double value, double truth) {
  char text[40];
  std::snprintf(text, sizeof text, "%+.3f %%", 100 * (value - truth) / std::abs(truth));
  return text;
}

/// Empty where forbidden pairs leave no mean.
std::string of_mean_cost(const char* before, double share, const char* behind) {
  return std::isfinite(share) ? concat(before, small(share), " of the mean cost", behind) : "";
}

constexpr double kNearlyIndependent = .9;
constexpr double kNearlyMatching = .05;

std::string spread_line(double normalised_entropy) {
  const char* word = normalised_entropy > kNearlyIndependent ? "nearly independent"
                     : normalised_entropy < kNearlyMatching  ? "nearly a matching"
                                                             : "between the two";
  return concat("  plan           ", word, ": normalised_entropy ", small(normalised_entropy),
                " of 0 (a matching) to 1 (independence)");
}

std::string gap_line(double upper, double lower, double epsilon) {
  upper = std::max(upper, lower);  // a gap of rounding is none
  return concat("  proven gap     ", small(relative_gap(lower, upper)), " relative, ",
                small((upper - lower) / epsilon), " nats");
}

/// "data 6 %, forward 31 %, .."
std::string profile_line(const Result& result) {
  std::string line = "  profile        ";
  for (const auto& [phase, share] : result.profile) {
    char percent[16];
    std::snprintf(percent, sizeof percent, "%.0f %%", 100 * share);
    line += concat(phase == result.profile.front().first ? "" : ", ", phase, " ", percent);
  }
  return line;
}

}  // namespace

std::vector<std::string> opening_lines(const Configuration& configuration, const Problem& problem,
                                       const RunFacts& facts) {
  return {
      concat(problem.kind->name, ": ", problem.kind->sizes(problem), ", cost ",
             configuration.problem.cost, ", epsilon ", number(problem.epsilon),
             of_mean_cost(" (", problem.epsilon / problem.statistics.mean, ")")),
      concat("solver ", configuration.solver, ", ", facts.world_size,
             facts.world_size == 1 ? " rank x " : " ranks x ", facts.threads,
             facts.threads == 1 ? " thread, " : " threads, ", "backend ", facts.backend, ", ",
             facts.device, ", ", facts.precision, ", ", facts.instruction_set),
  };
}

std::vector<std::string> closing_lines(const Result& result) {
  std::vector<std::string> lines;
  if (result.objective && result.transport_cost && result.kl) {
    lines.push_back(concat("  objective      ", number(*result.objective), "  = transport_cost ",
                           number(*result.transport_cost), " + epsilon x kl ", number(*result.kl),
                           result.marginal_penalty
                               ? concat(" + marginal_penalty ", number(*result.marginal_penalty))
                               : ""));
  }
  lines.push_back(concat("  dual_value     ", number(result.dual_value)));
  if (result.evaluation_points.size() == 2) {
    lines.push_back(concat("  both           of ", result.evaluation_points[0], " x ",
                           result.evaluation_points[1],
                           " points, a sample (solver.neural.evaluation_points)"));
  }
  if (result.objective) {
    lines.push_back(gap_line(*result.objective, result.dual_value, result.epsilon));
  }
  if (result.shape && result.shape->normalised_entropy) {
    lines.push_back(spread_line(*result.shape->normalised_entropy));
  }
  if (result.divergence) {
    lines.push_back(concat("  divergence     ", number(result.divergence->value), "  in [",
                           number(result.divergence->lower), ", ", number(result.divergence->upper),
                           "]"));
  }
  if (result.reference) {
    const double truth = result.reference->value;
    lines.push_back(concat(
        "  reference      ", number(truth), "  (", result.reference->source, "); dual_value ",
        percent_off(result.dual_value, truth),
        result.objective ? concat(", objective ", percent_off(*result.objective, truth)) : ""));
  }
  std::string time = concat("  time           ", format_seconds(result.seconds.total));
  if (result.samples_per_second) {
    time += concat(", ", number(std::round(*result.samples_per_second)), " samples/s");
  }
  if (result.steps) {
    time += concat(", ", *result.steps, " steps");
  } else {
    time += concat(", ", result.iterations, " iterations");
  }
  lines.push_back(time);
  if (!result.iterations_per_step.empty()) {
    std::string counts;
    for (const std::int64_t each : result.iterations_per_step) {
      counts += concat(counts.empty() ? "" : " + ", each);
    }
    lines.push_back(concat("  solves         ", result.iterations_per_step.size(), ": ", counts,
                           " iterations"));
  }
  if (!result.profile.empty()) lines.push_back(profile_line(result));
  return lines;
}

std::string independence_line(const Result& result) {
  if (!result.shape || result.shape->normalised_entropy.value_or(0) <= kNearlyIndependent) {
    return "";
  }
  return concat("the plan is nearly independent (normalised_entropy ",
                number(*result.shape->normalised_entropy),
                "): which x belongs to which y is hardly seen at epsilon ", number(result.epsilon),
                of_mean_cost(", ", result.epsilon_relative, ""),
                "; in a new --out, lower problem.epsilon for a sharper plan");
}

std::string not_converged_line(const Result& result, const Configuration& configuration) {
  const auto& solves = configuration.tables.get<sinkhorn::SinkhornConfig>();
  if (configuration.solver == "neural" && result.certificate) {
    return concat("not converged: proven gap ", small(result.certificate->relative_gap),
                  " > solver.neural.gap_tolerance ",
                  number(configuration.tables.get<neural::NeuralConfig>().gap_tolerance),
                  "; in a new --out, raise solver.neural.steps or .batch (or "
                  ".certificate_iterations)");
  }
  for (std::size_t k = 0; k + 1 < result.converged_per_step.size(); ++k) {
    if (result.converged_per_step[k]) continue;
    return concat("not converged: step ", k + 1, " of ", result.converged_per_step.size(),
                  " did not reach its tolerance in solver.sinkhorn.max_iterations ",
                  solves.max_iterations,
                  "; in a new --out, raise it, problem.epsilon or solver.progot.first_tolerance");
  }
  double error = 0;
  for (const double each : result.marginal_error) error = std::max(error, each);
  if (!result.objective && result.has_wide_gap) {
    return concat(
        "not converged: no plan was found whose mass avoids all forbidden pairs; with a "
        "marginal_error of ",
        small(error),
        " so much of it would have to move that the search was given up; in a new --out, raise "
        "solver.sinkhorn.max_iterations or lower .tolerance");
  }
  if (result.has_wide_gap && error <= 2 * solves.tolerance) {
    const double upper =
        result.last_step ? result.last_step->objective : result.objective.value_or(0);
    const double lower = result.last_step ? result.last_step->dual_value : result.dual_value;
    return concat(
        "not converged: marginal_error ", small(error),
        " is within solver.sinkhorn.tolerance, but what the plan lacks costs so much that "
        "the proven gap is ",
        small(upper - lower), ", from ", number(lower), " to ", number(upper),
        "; in a new --out, lower solver.sinkhorn.tolerance");
  }
  const std::string what = concat("not converged: marginal_error ", small(error),
                                  " > solver.sinkhorn.tolerance ", number(solves.tolerance),
                                  " after ", result.iterations, " iterations; in a new --out, ");
  // No plan has such an error: another tolerance would not help.
  if (!(error <= sinkhorn::Implausible::kLargest)) {
    return what + (configuration.run.precision == "float32"
                       ? "use run.precision = \"float64\" or raise problem.epsilon"
                       : "raise problem.epsilon");
  }
  const bool has_stopped_early = result.iterations < solves.max_iterations;
  // Its own measure was too coarse to see the rest, or its steps to get there.
  const bool is_too_coarse =
      has_stopped_early || (result.is_stalled && configuration.run.precision == "float32");
  return what +
         (is_too_coarse
              ? "use run.precision = \"float64\" or raise solver.sinkhorn.tolerance"
              : concat(
                    "raise solver.sinkhorn.max_iterations or problem.epsilon",
                    configuration.solver == "sinkhorn"
                        ? "; solver.sinkhorn.warm_start = \"this run's folder\" goes on from here"
                        : ""));
}

}  // namespace kantor::launch
