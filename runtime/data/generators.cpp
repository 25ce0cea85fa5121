#include "runtime/data/generators.hpp"

#include <algorithm>
#include <cmath>
#include <span>

#include "runtime/core/error.hpp"
#include "runtime/data/gram.hpp"
#include "runtime/data/random_field.hpp"
#include "runtime/kernels/blas.hpp"
#include "runtime/random/philox.hpp"

namespace kantor::data {
namespace {

// Streams of Purpose::generator. Values are addressed by (point, coordinate), so a longer cloud
// starts with the shorter one.
constexpr std::uint32_t kPointStream = 0;
constexpr std::uint32_t kComponentStream = 1;
constexpr std::uint32_t kCentreStream = 2;
constexpr std::uint32_t kWishartStream = 3;

constexpr std::int64_t kMostValues = std::int64_t{1} << 40;
constexpr std::int64_t kMostDims = std::int64_t{1} << 20;
constexpr double kSymmetryTolerance = 1e-9;  // relative to the largest entry; users round by hand

std::size_t as_size(std::int64_t value) { return static_cast<std::size_t>(value); }

random::Stream stream_of(const GeneratorConfig& config, std::uint32_t stream) {
  return {static_cast<std::uint64_t>(config.seed), random::Purpose::generator, stream};
}

std::vector<double> normals(const random::Stream& stream, std::int64_t count) {
  std::vector<double> values(as_size(count));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = stream.normal(i);
  return values;
}

void require(bool condition, const std::string& message) {
  if (!condition) throw ConfigError("generator: " + message);
}

/// "identity", "wishart" or [[..]], into config.
void read_covariance(GeneratorConfig& config, const config::Value& value,
                     const std::string& where) {
  const auto refuse = [&](const std::string& met) -> void {
    throw ConfigError(
        concat(where, ": expected \"identity\", \"wishart\" or d rows of d numbers, got ", met));
  };
  if (const auto* word = std::get_if<std::string>(&value.data)) {
    config.wishart = *word == "wishart";
    if (!config.wishart && *word != "identity") refuse("\"" + *word + "\"");
    return;
  }
  const auto* rows = std::get_if<config::Array>(&value.data);
  if (rows == nullptr) return refuse(value.type_name());
  for (const config::Value& row : *rows) {
    const auto* entries = std::get_if<config::Array>(&row.data);
    if (entries == nullptr) return refuse("a row that is " + row.type_name());
    if (entries->size() != rows->size()) {
      refuse(concat(rows->size(), " rows, one of them of ", entries->size(), " numbers"));
    }
    for (const config::Value& entry : *entries) {
      if (const auto* real = std::get_if<double>(&entry.data)) {
        config.covariance.push_back(*real);
      } else if (const auto* whole = std::get_if<std::int64_t>(&entry.data)) {
        config.covariance.push_back(static_cast<double>(*whole));
      } else {
        refuse("an entry that is " + entry.type_name());
      }
    }
  }
  if (config.covariance.empty()) refuse("an empty array");
}

/// Refuses what is no covariance, and removes the asymmetry of rounded decimals.
void check_covariance(std::vector<double>& covariance, std::int64_t d) {
  double largest = 0;
  for (const double entry : covariance) {
    require(std::isfinite(entry), "covariance is not finite");
    largest = std::max(largest, std::abs(entry));
  }
  for (std::int64_t i = 0; i < d; ++i) {
    for (std::int64_t k = 0; k < i; ++k) {
      double& lower = covariance[as_size(i * d + k)];
      double& upper = covariance[as_size(k * d + i)];
      require(std::abs(lower - upper) <= kSymmetryTolerance * largest,
              concat("covariance is not symmetric: entry (", i, ", ", k, ") is ", lower, ", (", k,
                     ", ", i, ") is ", upper));
      lower = upper = (lower + upper) / 2;
    }
  }
  std::vector<double> factor = covariance;
  try {
    kernels::cholesky(d, factor);
  } catch (const NumericError&) {
    throw ConfigError("generator: covariance is not positive definite");
  }
}

/// G G^T / trace, G of D x 2D standard normals. @return [D, D].
std::vector<double> wishart_covariance(const GeneratorConfig& config) {
  const std::int64_t d = config.d;
  const std::vector<double> g = normals(stream_of(config, kWishartStream), 2 * d * d);
  std::vector<double> covariance(as_size(d * d));
  kernels::gemm_nt(d, d, 2 * d, 1.0, g.data(), 2 * d, g.data(), 2 * d, 0.0, covariance.data(), d);
  double trace = 0;
  for (std::int64_t k = 0; k < d; ++k) trace += covariance[as_size(k * d + k)];
  for (double& entry : covariance) entry /= trace;
  return covariance;
}

/// Subtracts the mean of the rows. @param rows [n, D].
void centre(std::vector<double>& rows, std::int64_t n, std::int64_t d) {
  for (std::int64_t k = 0; k < d; ++k) {
    double sum = 0;
    for (std::int64_t i = 0; i < n; ++i) sum += rows[as_size(i * d + k)];
    const double mean = sum / static_cast<double>(n);
    for (std::int64_t i = 0; i < n; ++i) rows[as_size(i * d + k)] -= mean;
  }
}

/// rows <- rows L^T. @param lower [D, D].
void multiply(std::vector<double>& rows, std::int64_t n, std::int64_t d,
              const std::vector<double>& lower) {
  std::vector<double> product(rows.size());
  kernels::gemm_nt(n, d, d, 1.0, rows.data(), d, lower.data(), d, 0.0, product.data(), d);
  rows.swap(product);
}

/// Inverse of a lower triangular matrix, by forward substitution. @return [D, D].
std::vector<double> inverse_lower(const std::vector<double>& lower, std::int64_t d) {
  std::vector<double> inverse(lower.size(), 0.0);
  for (std::int64_t column = 0; column < d; ++column) {
    for (std::int64_t row = column; row < d; ++row) {
      double sum = row == column ? 1.0 : 0.0;
      for (std::int64_t k = column; k < row; ++k) {
        sum -= lower[as_size(row * d + k)] * inverse[as_size(k * d + column)];
      }
      inverse[as_size(row * d + column)] = sum / lower[as_size(row * d + row)];
    }
  }
  return inverse;
}

/// Gives the rows mean 0 and covariance (1/n) I: x <- R^-1 x with R R^T their covariance. The
/// second pass removes what rounding left of a badly conditioned first one (as in Cholesky QR
/// twice).
void whiten(std::vector<double>& rows, std::int64_t n, std::int64_t d) {
  for (int pass = 0; pass < 2; ++pass) {
    centre(rows, n, d);
    std::vector<double> covariance(as_size(d * d), 0.0);
    add_gram(rows, n, d, {}, covariance);
    for (double& entry : covariance) entry /= static_cast<double>(n);
    kernels::cholesky(d, covariance);
    multiply(rows, n, d, inverse_lower(covariance, d));
  }
  centre(rows, n, d);
}

std::vector<double> gaussian(const GeneratorConfig& config) {
  const std::int64_t n = config.n;
  const std::int64_t d = config.d;
  std::vector<double> points = normals(stream_of(config, kPointStream), n * d);
  if (config.exact_moments) whiten(points, n, d);
  if (config.wishart || !config.covariance.empty()) {
    GaussianLaw law = *gaussian_law(config);
    kernels::cholesky(d, law.covariance);
    multiply(points, n, d, law.covariance);
  }
  if (config.mean.empty()) return points;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t k = 0; k < d; ++k) points[as_size(i * d + k)] += config.mean[as_size(k)];
  }
  return points;
}

std::vector<double> gaussian_mixture(const GeneratorConfig& config) {
  const std::int64_t d = config.d;
  const std::vector<double> centres =
      normals(stream_of(config, kCentreStream), config.components * d);  // [components, D]
  std::vector<double> points = normals(stream_of(config, kPointStream), config.n * d);
  const auto component = stream_of(config, kComponentStream);
  for (std::int64_t i = 0; i < config.n; ++i) {
    const auto drawn = static_cast<std::int64_t>(component.uniform(static_cast<std::uint64_t>(i)) *
                                                 static_cast<double>(config.components));
    const std::int64_t c = std::min(drawn, config.components - 1);
    for (std::int64_t k = 0; k < d; ++k) {
      double& value = points[as_size(i * d + k)];
      value = config.centre_scale * centres[as_size(c * d + k)] + config.component_scale * value;
    }
  }
  return points;
}

std::vector<double> uniform_cube(const GeneratorConfig& config) {
  const auto stream = stream_of(config, kPointStream);
  const double half_side = 1 / std::sqrt(static_cast<double>(config.d));
  std::vector<double> points(as_size(config.n * config.d));
  for (std::size_t i = 0; i < points.size(); ++i)
    points[i] = half_side * (2 * stream.uniform(i) - 1);
  return points;
}

}  // namespace

void GeneratorConfig::describe(config::Fields& fields) {
  fields.add_choice("name", name, {"gaussian", "gaussian_mixture", "uniform_cube", "random_field"},
                    "law of the points");
  fields.add("n", n, "number of points");
  fields.add("d", d, "dimension");
  fields.add("seed", seed, "the points are a pure function of it");
  const bool is_listing = fields.is_listing();
  if (is_listing || name == "gaussian") {
    fields.add("mean", mean, "d numbers; zero if absent");
    const char* const meaning = "\"identity\", \"wishart\" (G G^T, trace 1) or d rows of d numbers";
    if (const config::Value* value = fields.raw("covariance", meaning, "text or rows of numbers")) {
      read_covariance(*this, *value, fields.where("covariance"));
      fields.resolve_raw("covariance", *value);
    }
    fields.add("exact_moments", exact_moments,
               "whiten the sample to exactly this mean and covariance");
  }
  if (is_listing || name == "gaussian_mixture") {
    fields.add("components", components, "number of equally likely components").at_least(1);
    fields.add("centre_scale", centre_scale, "centres are N(0, centre_scale^2 I)").at_least(0);
    fields.add("component_scale", component_scale, "standard deviation of each component")
        .at_least(0);
  }
  if (is_listing || name == "random_field") {
    fields.add("decay", decay, "amplitudes fall as 1 / frequency^decay; d is a square number")
        .at_least(0);
    fields.add("blur", blur, "standard deviation of a Gaussian kernel, in pixels; 0 = none")
        .at_least(0);
  }
}

void GeneratorConfig::check() const {
  require(!name.empty(), "name is missing; gaussian, gaussian_mixture, uniform_cube, random_field");
  require(name == "gaussian" || name == "gaussian_mixture" || name == "uniform_cube" ||
              name == "random_field",
          concat("unknown name \"", name,
                 "\"; gaussian, gaussian_mixture, uniform_cube or random_field"));
  require(n >= 1, concat("n = ", n, ", expected at least 1 point"));
  require(d >= 1, concat("d = ", d, ", expected at least 1 dimension"));
  require(d <= kMostDims, concat("d = ", d, " is beyond 2^20 dimensions"));
  require(n <= kMostValues / d, concat("n x d = ", n, " x ", d, " is beyond 2^40 values"));
  require(mean.empty() || mean.size() == as_size(d),
          concat("mean has ", mean.size(), " numbers, expected d = ", d));
  require(std::all_of(mean.begin(), mean.end(), [](double m) { return std::isfinite(m); }),
          "mean is not finite");
  require(covariance.empty() || covariance.size() == as_size(d * d),
          concat("covariance has ", covariance.size(), " numbers, expected d x d = ", d * d));
  require(covariance.empty() || !wishart, "covariance is both a matrix and \"wishart\"");
  require(!exact_moments || name == "gaussian", "exact_moments applies to gaussian only");
  require(!exact_moments || n > d, concat("exact_moments needs n > d, got n = ", n, ", d = ", d));
  require(components <= kMostValues / d, concat("components = ", components, " is too large"));
  require(name != "random_field" || is_square(d),
          concat("random_field makes square images, but d = ", d, " is no square number"));
}

std::optional<GaussianLaw> gaussian_law(const GeneratorConfig& config) {
  config.check();
  if (config.name != "gaussian") return std::nullopt;
  const std::int64_t d = config.d;
  GaussianLaw law = {.mean = config.mean, .covariance = config.covariance};
  if (law.mean.empty()) law.mean.assign(as_size(d), 0.0);
  if (config.wishart) law.covariance = wishart_covariance(config);
  if (law.covariance.empty()) {
    law.covariance.assign(as_size(d * d), 0.0);
    for (std::int64_t k = 0; k < d; ++k) law.covariance[as_size(k * d + k)] = 1.0;
    return law;
  }
  check_covariance(law.covariance, d);
  return law;
}

std::vector<double> generate(const GeneratorConfig& config) {
  config.check();
  if (config.name == "gaussian") return gaussian(config);
  if (config.name == "gaussian_mixture") return gaussian_mixture(config);
  if (config.name == "random_field") {
    return random_field(config, normals(stream_of(config, kPointStream), config.n * config.d));
  }
  return uniform_cube(config);
}

}  // namespace kantor::data
