#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/data_file.hpp"
#include "runtime/data/data_format.hpp"
#include "runtime/data/fingerprint.hpp"
#include "runtime/data/idx.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/row_sources.hpp"
#include "runtime/data/safetensors.hpp"

namespace kantor::data {
namespace {

constexpr double kSumTolerance = 1e-4;  // design: weights sum to 1 within it

std::size_t as_size(std::int64_t value) { return static_cast<std::size_t>(value); }

std::shared_ptr<const RowSource> open_points(const MarginalConfig& config,
                                             std::shared_ptr<const DataFile> file) {
  const DataFormat format = format_of(*file);
  if (format == DataFormat::safetensors) return open_safetensors(std::move(file), config.key);
  if (!config.key.empty()) {
    throw ConfigError(concat("key = \"", config.key, "\" of marginal ", config.path,
                             ": only .safetensors files have keys"));
  }
  return format == DataFormat::npy ? open_npy(std::move(file)) : open_idx(std::move(file));
}

/// Rows whose label is in config.select. @return ascending.
std::vector<std::int64_t> rows_with_labels(const MarginalConfig& config, std::int64_t num_rows) {
  const std::vector<std::uint8_t> labels = read_idx_labels(config.labels);
  if (labels.size() != as_size(num_rows)) {
    throw DataError(concat("cannot select rows of ", config.path, ": it has ", num_rows,
                           " rows, but ", config.labels, " has ", labels.size(), " labels"));
  }
  std::array<bool, 256> is_selected{};
  for (const std::int64_t label : config.select) {
    if (std::find(labels.begin(), labels.end(), label) == labels.end()) {
      throw ConfigError(concat("select = [.. ", label, " ..] of marginal ", config.path, ": ",
                               config.labels, " has no such label"));
    }
    is_selected[as_size(label)] = true;
  }
  std::vector<std::int64_t> rows;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (is_selected[labels[i]]) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

/// Rows of the source in the marginal; empty for all. @param name for messages.
std::vector<std::int64_t> select_rows(const MarginalConfig& config, const std::string& name,
                                      std::int64_t num_rows) {
  std::vector<std::int64_t> rows;
  if (!config.select.empty()) rows = rows_with_labels(config, num_rows);
  if (config.rows.empty()) return rows;
  const std::int64_t available =
      config.select.empty() ? num_rows : static_cast<std::int64_t>(rows.size());
  const std::int64_t first = config.rows[0];
  const std::int64_t last = config.rows[1];
  if (last > available) {
    throw ConfigError(concat("rows = [", first, ", ", last, "] of marginal ", name, ": only ",
                             available, " rows are there",
                             config.select.empty() ? "" : " after selection"));
  }
  if (config.select.empty()) {
    rows.resize(as_size(last - first));
    std::iota(rows.begin(), rows.end(), first);
    return rows;
  }
  return {rows.begin() + first, rows.begin() + last};
}

/// Sum with the rounding error of each addition carried along (Neumaier 1974).
double accurate_sum(const std::vector<double>& values) {
  double sum = 0;
  double lost = 0;
  for (const double value : values) {
    const double next = sum + value;
    lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  return sum + lost;
}

/// Non-negative, finite, summing to 1: exactly so afterwards, and each 0 or one that has a
/// reciprocal.
void check_and_rescale(const MarginalConfig& config, std::vector<double>& weights) {
  const auto refuse = [&](const std::string& reason) {
    throw DataError(concat("cannot use the weights ", config.weights, ": ", reason));
  };
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (std::isfinite(weights[i]) && weights[i] >= 0) continue;
    refuse(concat("weight ", i, " is ", weights[i], ", expected a number >= 0"));
  }
  const double largest = *std::max_element(weights.begin(), weights.end());
  if (largest == 0) refuse("all of them are 0");
  if (config.normalise) {  // first by the largest: a plain sum could overflow
    for (double& weight : weights) weight /= largest;
  }
  const double sum = accurate_sum(weights);
  if (!config.normalise && !(std::abs(sum - 1) <= kSumTolerance)) {
    refuse(concat("they sum to ", format_number(sum), ", which is ", std::abs(sum - 1),
                  " from 1, expected ", kSumTolerance, " at most",
                  "; set normalise = true in the marginal to rescale them"));
  }
  for (double& weight : weights) {
    weight /= sum;
    if (weight < std::numeric_limits<double>::min()) weight = 0;
  }
}

/// One weight per point, or none for uniform ones.
std::vector<double> load_weights(const MarginalConfig& config, std::int64_t num_rows,
                                 const std::vector<std::int64_t>& selection) {
  if (config.weights.empty()) return {};
  std::vector<double> weights = read_npy_vector(config.weights);
  const std::size_t n = selection.empty() ? as_size(num_rows) : selection.size();
  if (weights.size() != n && weights.size() == as_size(num_rows)) {
    std::vector<double> selected;
    selected.reserve(n);
    for (const std::int64_t row : selection) selected.push_back(weights[as_size(row)]);
    weights = std::move(selected);
  }
  if (weights.size() != n) {
    throw DataError(
        concat("cannot use the weights ", config.weights, ": there are ", weights.size(),
               ", expected ", n, ", one per point",
               selection.empty() ? "" : concat(", or ", num_rows, ", one per row of the file")));
  }
  check_and_rescale(config, weights);
  return weights;
}

void add_generator(Fingerprint& fingerprint, const GeneratorConfig& generator) {
  // The formula counts, not its values: the last bit of log and cos may differ between machines.
  fingerprint.add_text(generator.name);
  const std::array<std::int64_t, 6> whole = {generator.n,
                                             generator.d,
                                             generator.seed,
                                             generator.wishart ? 1 : 0,
                                             generator.exact_moments ? 1 : 0,
                                             generator.components};
  fingerprint.add_values(std::span<const std::int64_t>(whole));
  fingerprint.add_values(std::span<const double>(generator.mean));
  fingerprint.add_values(std::span<const double>(generator.covariance));
  fingerprint.add_number(generator.centre_scale);
  fingerprint.add_number(generator.component_scale);
  if (generator.name != "random_field") return;
  fingerprint.add_number(generator.decay);
  fingerprint.add_number(generator.blur);
}

}  // namespace

Marginal load_marginal(const MarginalConfig& config) {
  config.check();
  Fingerprint fingerprint;
  std::string name = config.path;
  std::shared_ptr<const RowSource> source;
  if (config.generator) {
    name = "generator " + config.generator->name;
    add_generator(fingerprint, *config.generator);
    source = memory_rows(generate(*config.generator), config.generator->n, config.generator->d);
  } else {
    const auto file = std::make_shared<const DataFile>(config.path);
    source = open_points(config, file);
    fingerprint.add_content(file->bytes());
    fingerprint.add_text(config.key);
  }
  std::vector<std::int64_t> selection = select_rows(config, name, source->num_rows());
  std::vector<double> weights = load_weights(config, source->num_rows(), selection);
  fingerprint.add_values(std::span<const std::int64_t>(selection));
  fingerprint.add_values(std::span<const double>(weights));
  fingerprint.add_number(config.scale);
  if (!config.shared.empty()) fingerprint.add_content(DataFile(config.shared).bytes());
  return {std::move(name),    std::move(source), std::move(selection), config.scale,
          std::move(weights), config.holdout,    fingerprint.value()};
}

Marginal load_features(const MarginalConfig& config) {
  MarginalConfig features = config;
  features.path = std::exchange(features.shared, "");
  features.generator.reset();
  features.key.clear();
  features.scale = 1;
  return load_marginal(features);
}

Marginal load_weights_alone(const MarginalConfig& config, std::int64_t n, const std::string& name,
                            std::uint64_t content) {
  if (config.n != 0 && config.n != n) {
    throw DataError(concat("a marginal has n = ", config.n, ", but there are ", n, " ", name));
  }
  std::vector<double> weights = load_weights(config, n, {});
  Fingerprint fingerprint;
  fingerprint.add_text(name.substr(0, name.find(' ')));  // rows or columns
  fingerprint.add_values(std::span<const std::uint64_t>(&content, 1));
  fingerprint.add_values(std::span<const double>(weights));
  std::vector<double> indices(as_size(n));
  std::iota(indices.begin(), indices.end(), 0.0);
  return {name,
          memory_rows(std::move(indices), n, 1),
          {},
          1,
          std::move(weights),
          0,
          fingerprint.value()};
}

}  // namespace kantor::data
