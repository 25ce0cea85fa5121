#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/data/marginal.hpp"

namespace kantor::data {

void MarginalConfig::describe(config::Fields& fields) {
  fields.add_path("path", path, ".npy, idx-ubyte (plain or gzip) or .safetensors file of points");
  fields.add("key", key, "tensor name in a .safetensors file");
  fields.add_path("weights", weights, ".npy of one weight per point; uniform if absent");
  fields.add("normalise", normalise, "rescale the weights to sum 1");
  fields.add_path("labels", labels, "idx-ubyte file of one label per row, for select");
  fields.add("select", select, "keep the rows whose label is in this list");
  fields.add("scale", scale, "multiplies the values");
  fields.add("rows", rows, "half-open range [first, last) of rows, after selection");
  fields.add("holdout", holdout, "fraction kept out of training").at_least(0).below(1);
  if (fields.has("shared") || fields.is_listing()) {
    fields.add_path("shared", shared, "of kind egw: .npy of one row of features per point");
  }
  fields.add("n", n, "number of points, where problem.cost = \"matrix\"; 0 = as many as costs")
      .at_least(0);
  fields.add_optional("generator", generator, "points from a formula, in place of a path");
}

void MarginalConfig::check() const {
  const std::string name = path.empty() ? std::string("generator") : path;
  const auto require = [&](bool condition, const std::string& message) {
    if (!condition) throw ConfigError(concat("marginal ", name, ": ", message));
  };
  if (path.empty() && !generator) {
    throw ConfigError("a marginal needs a path or a generator, and has neither");
  }
  require(n == 0,
          "n is for marginals of problem.cost = \"matrix\"; points bring their number with them");
  require(path.empty() || !generator, "both a path and a generator are given; keep one");
  if (generator) generator->check();
  require(key.empty() || !generator, "key belongs to a path, not to a generator");
  require(labels.empty() || !generator, "labels belong to a path, not to a generator");
  require(select.empty() || !labels.empty(), "select needs labels = \"FILE\"");
  require(labels.empty() || !select.empty(), "labels without select = [..] have no effect");
  require(!normalise || !weights.empty(), "normalise needs weights = \"FILE\"");
  require(std::isfinite(scale) && scale != 0,
          concat("scale = ", scale, ", expected a finite number other than 0"));
  require(rows.empty() || rows.size() == 2,
          concat("rows has ", rows.size(), " numbers, expected [first, last)"));
  require(rows.empty() || (rows[0] >= 0 && rows[0] < rows[1]),
          rows.size() != 2 ? std::string()
                           : concat("rows = [", rows[0], ", ", rows[1],
                                    "] selects nothing; expected 0 <= first < last"));
}

void MarginalConfig::check_weights_alone() const {
  const bool has_points = !path.empty() || generator || !key.empty() || !labels.empty() ||
                          !select.empty() || !rows.empty() || scale != 1 || holdout != 0;
  if (has_points) {
    throw ConfigError(
        concat("marginal ", path.empty() ? weights : path,
               ": problem.cost = \"matrix\" knows no points; give weights, n, or nothing"));
  }
  if (normalise && weights.empty())
    throw ConfigError("marginal: normalise needs weights = \"FILE\"");
}

}  // namespace kantor::data
