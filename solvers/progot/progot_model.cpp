#include "solvers/progot/progot_model.hpp"

#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "solvers/eot/entropic_map.hpp"

namespace kantor::progot {

namespace {

constexpr const char* kFormat = "kantor progot";
constexpr int kVersion = 1;

void shift(std::vector<double>& points, const std::vector<double>& by, double sign) {
  for (std::size_t i = 0; i < points.size(); ++i) points[i] += sign * by[i % by.size()];
}

std::span<const double> row(const std::vector<double>& matrix, std::size_t k, std::int64_t size) {
  return std::span(matrix).subspan(k * index(size), index(size));
}

void subtract(std::vector<double>& from, const std::vector<double>& what, double scale) {
  for (std::size_t i = 0; i < from.size(); ++i) from[i] -= scale * what[i];
}

}  // namespace

std::vector<data::NamedTensor> Model::tensors() const {
  const auto steps = static_cast<std::int64_t>(epsilons.size());
  std::vector<data::NamedTensor> result;
  result.push_back({"g", {steps, m}, g, true});  // one copy: an initializer list would make two
  if (!f_self.empty()) result.push_back({"f_self", {steps, n}, f_self, true});
  return result;
}

Record Model::description() const {
  Record model;
  model.set("format", kFormat);
  model.set("version", kVersion);
  model.set("formula",
            "x <- x - alpha_k grad h*( sum_j w_j grad h(x - y_j) ), k = 0, 1, ..; w_j in "
            "proportion to b_j exp((g_kj - c(x, y_j)) / epsilon_k); y, b: marginal 1");
  model.set("cost", cost);
  model.set("n", n);
  model.set("m", m);
  model.set("debiased", !f_self.empty());
  model.set("epsilons", epsilons);
  model.set("alphas", alphas);
  return model;
}

Model model_of(const Pair& pair, const SolvedSteps& course) {
  Model model;
  model.n = pair.n(0);
  model.m = pair.n(1);
  model.cost = cost_name(pair.cost.kernel.kind);
  const auto steps = static_cast<std::int64_t>(course.steps.size());
  model.g.reserve(index(steps * model.m));
  if (!course.steps.front().f_self.empty()) model.f_self.reserve(index(steps * model.n));
  for (const SolvedStep& step : course.steps) {
    model.epsilons.push_back(step.epsilon);
    model.alphas.push_back(step.alpha);
    model.g.insert(model.g.end(), step.g.begin(), step.g.end());
    model.f_self.insert(model.f_self.end(), step.f_self.begin(), step.f_self.end());
  }
  return model;
}

Model restore_model(const Record& description, const std::vector<data::NamedTensor>& tensors,
                    const Pair& pair) {
  Model model;
  std::int64_t version = 0;
  bool is_debiased = false;
  try {
    version = description.get<std::int64_t>("version");
    model.cost = description.get<std::string>("cost");
    model.n = description.get<std::int64_t>("n");
    model.m = description.get<std::int64_t>("m");
    model.epsilons = description.get<std::vector<double>>("epsilons");
    model.alphas = description.get<std::vector<double>>("alphas");
    is_debiased = description.get<bool>("debiased");
  } catch (const DataError& error) {
    throw DataError(concat("model.json is damaged: ", error.what()));
  }
  if (version != kVersion) {
    throw DataError(
        concat("model.json has version ", version, "; this build reads version ", kVersion));
  }
  if (model.n != pair.n(0) || model.m != pair.n(1) ||
      model.cost != cost_name(pair.cost.kernel.kind)) {
    throw DataError(concat("model.json is of ", model.n, " x ", model.m, " points and cost ",
                           model.cost, ", which is not the problem of this run"));
  }
  const auto steps = static_cast<std::int64_t>(model.epsilons.size());
  if (steps == 0 || model.alphas.size() != model.epsilons.size()) {
    throw DataError("model.json is damaged: it needs as many alphas as epsilons, and one at least");
  }
  for (const double epsilon : model.epsilons) {
    if (epsilon > 0 && std::isfinite(epsilon)) continue;
    throw DataError(concat("model.json is damaged: one of its epsilons is ", epsilon,
                           ", expected positive numbers"));
  }
  const auto matrix = [&](const char* name, std::int64_t columns) {
    if (const auto* values = find_values(tensors, name, {steps, columns})) return *values;
    throw DataError(concat("the model has no tensor ", name, " of ", steps, " x ", columns));
  };
  model.g = matrix("g", model.m);
  if (is_debiased) model.f_self = matrix("f_self", model.n);
  return model;
}

Evaluation transport(const Model& model, const Pair& pair, std::vector<double> points,
                     ThreadPool& pool) {
  const MapTarget target(pair, 1);
  const bool is_debiased = !model.f_self.empty();
  MapTarget self(pair, is_debiased ? 0 : 1);  // moves along, if it is needed
  Evaluation result{.potential = {}, .map = std::move(points)};
  std::vector<double>& x = result.map;
  shift(x, pair.centre, -1);
  std::vector<double> ignored;
  const auto moves_of = [&](const std::vector<double>& at, std::size_t k, std::vector<double>& f) {
    std::vector<double> moves =
        target.gradients(at, row(model.g, k, model.m), model.epsilons[k], target.points, pool, f);
    if (is_debiased) {
      subtract(moves,
               self.gradients(at, row(model.f_self, k, model.n), model.epsilons[k], self.points,
                              pool, ignored),
               1);
    }
    to_displacements(pair.cost.kernel, moves);
    return moves;
  };
  for (std::size_t k = 0; k < model.epsilons.size(); ++k) {
    const bool is_last = k + 1 == model.epsilons.size();
    const std::vector<double> moves = moves_of(x, k, result.potential);
    if (is_debiased && !is_last) {
      const std::vector<double> own = moves_of(self.points, k, ignored);
      subtract(self.points, own, model.alphas[k]);
    }
    subtract(x, moves, is_last ? 1 : model.alphas[k]);
  }
  shift(x, pair.centre, 1);
  return result;
}

Evaluation transport_back(const Model& model, const Pair& pair, std::vector<double> moved,
                          const std::vector<double>& f, std::vector<double> points,
                          ThreadPool& pool) {
  MapTarget source(pair, 0);
  const std::vector<double> given = source.points;
  shift(moved, pair.centre, -1);
  source.points = std::move(moved);
  Evaluation result{.potential = {}, .map = std::move(points)};
  shift(result.map, pair.centre, -1);
  std::vector<double> moves =
      source.gradients(result.map, f, model.epsilons.back(), given, pool, result.potential);
  to_displacements(pair.cost.kernel, moves);
  subtract(result.map, moves, 1);
  shift(result.map, pair.centre, 1);
  return result;
}

}  // namespace kantor::progot
