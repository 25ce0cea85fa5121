#include "solvers/egw/egw_config.hpp"

namespace kantor::egw {

void EgwConfig::describe(config::Fields& fields) {
  fields
      .add("tolerance", tolerance,
           "change of the alignment matrix A to reach, over sqrt(E|x|^2 E|y|^2) / 2")
      .above(0);
  fields.add("max_steps", max_steps, "steps of A at most").at_least(1);
  fields.add_choice("update", update, {"alternating", "accelerated"},
                    "of A: to E[x y^T] / 2, or by an accelerated gradient (convex regime)");
  fields.add("starts", starts, "A that are tried: 0, from second moments, random ones").at_least(1);
  fields.add("start_points", start_points, "points per marginal of the subsample they are tried on")
      .at_least(2);
  fields.add("continued", continued, "best of the starts that go on at all points").at_least(1);
  fields.add_optional("epsilon_decay", epsilon_decay, "first steps of A at a larger epsilon");
  fields.add("debiased", debiased,
             "solve each marginal against itself too, for a value that is 0 between equals");
  fields.add("learning_rate", learning_rate, "neural: of A, over its radius; peak of the schedule")
      .above(0);
  fields.add("potential_steps", potential_steps, "neural: steps of the potential for each of A")
      .at_least(1);
}

sinkhorn::EpsilonDecay EgwConfig::decay() const {
  if (!epsilon_decay) return {};
  return {epsilon_decay->start, epsilon_decay->factor};
}

}  // namespace kantor::egw
