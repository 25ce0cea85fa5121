#include "launch/summary.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "solvers/problem/kind.hpp"

namespace kantor::launch {
namespace {

/// Seven significant digits: more than any certificate proves, and still one glance.
std::string number(double value) { return format_digits(value, 7); }

std::string percent_off(double value, double truth) {
  char text[40];
  std::snprintf(text, sizeof text, "%+.3f %%", 100 * (value - truth) / std::abs(truth));
  return text;
}

/// The common lines, each behind those of the solver's own that are to come before it.
class Lines {
 public:
  explicit Lines(const std::vector<Line>& own) : own_(own) {}

  /// "" leaves out the line itself.
  void add(const std::string& label, const std::string& text) {
    for (const Line& line : own_) {
      if (line.before == label) lines_.push_back(labelled(line.label, line.text));
    }
    if (!text.empty()) lines_.push_back(labelled(label, text));
  }
  std::vector<std::string> take() {
    add("", "");
    return std::move(lines_);
  }

 private:
  const std::vector<Line>& own_;
  std::vector<std::string> lines_;
};

std::string reference_text(double truth, const std::string& source, std::optional<double> dual,
                           std::optional<double> objective) {
  std::string text = concat(number(truth), "  (", source, ")");
  if (dual) text += concat("; dual_value ", percent_off(*dual, truth));
  if (objective) text += concat(dual ? ", " : "; ", "objective ", percent_off(*objective, truth));
  return text;
}

std::string time_text(const Record& result) {
  std::string text = format_seconds(result.number("seconds.total"));
  if (const auto speed = result.find_as<double>("samples_per_second")) {
    text += concat(", ", number(std::round(*speed)), " samples/s");
  }
  const auto steps = result.find_as<std::int64_t>("steps");
  return text + (steps ? concat(", ", *steps, " steps")
                       : concat(", ", result.get<std::int64_t>("iterations"), " iterations"));
}

}  // namespace

std::string labelled(std::string label, const std::string& text) {
  label.resize(std::max<std::size_t>(label.size() + 1, 15), ' ');
  return "  " + label + text;
}

std::vector<std::string> opening_lines(const Configuration& configuration, const Problem& problem,
                                       const RunFacts& facts) {
  const double share = problem.epsilon / problem.statistics.mean;  // forbidden pairs leave no mean
  return {
      concat(
          problem.kind->name, ": ", problem.kind->sizes(problem), ", cost ",
          configuration.problem.cost, ", epsilon ", format_digits(problem.epsilon, 7),
          std::isfinite(share) ? concat(" (", format_digits(share, 2), " of the mean cost)") : ""),
      concat("solver ", configuration.solver, ", ", facts.world_size,
             facts.world_size == 1 ? " rank x " : " ranks x ", facts.threads,
             facts.threads == 1 ? " thread, " : " threads, ", "backend ", facts.backend, ", ",
             facts.device, ", ", facts.precision, ", ", facts.instruction_set),
  };
}

std::vector<std::string> closing_lines(const Record& result) {
  // Older versions wrote null for what is not finite.
  const auto value = [&](const char* name) {
    const auto found = result.find_as<double>(name);
    return found && std::isfinite(*found) ? found : std::nullopt;
  };
  const auto objective = value("objective"), cost = value("transport_cost"), kl = value("kl");
  const auto dual = value("dual_value"), penalty = value("marginal_penalty");
  const auto truth = value("reference.value");
  const std::vector<Line> own = own_lines(result);
  Lines lines(own);
  if (objective && cost && kl) {
    lines.add("objective",
              concat(number(*objective), "  = transport_cost ", number(*cost), " + epsilon x kl ",
                     number(*kl), penalty ? concat(" + marginal_penalty ", number(*penalty)) : ""));
  }
  lines.add("dual_value", dual ? number(*dual) : "");
  std::string gap;
  if (objective && dual) {
    const double upper = std::max(*objective, *dual);  // a gap of rounding is none
    gap = concat(format_digits(relative_gap(*dual, upper), 2), " relative, ",
                 format_digits((upper - *dual) / result.number("epsilon"), 2), " nats");
  }
  lines.add("proven gap", gap);
  lines.add("reference", truth ? reference_text(*truth, result.get<std::string>("reference.source"),
                                                dual, objective)
                               : "");
  lines.add("time", time_text(result));
  return lines.take();
}

}  // namespace kantor::launch
