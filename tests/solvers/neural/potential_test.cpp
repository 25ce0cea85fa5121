#include "solvers/neural/potential.hpp"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cmath>
#include <string>
#include <vector>

#include "solvers/neural/neural_config.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/neural/dense_semi_dual.hpp"
#include "tests/support/thrown.hpp"

// Shapes: B points, D dimensions, R rank.

namespace kantor::test {
namespace {

using neural::NetworkConfig;
using neural::Potential;
using neural::PotentialInputs;

constexpr std::int64_t kD = 3;

NetworkConfig network(const std::string& activation = "silu") {
  NetworkConfig config;
  config.width = {4, 5};
  config.activation = activation;
  return config;
}

PotentialInputs inputs(bool quadratic = true) {
  PotentialInputs result;
  result.d = kD;
  result.mean = {.5, -1, 2};
  result.deviation = {1, 2, .5};
  result.output_scale = .3;
  result.gaussian.scale = 0;
  if (quadratic) {
    result.gaussian = {.scale = .5,
                       .square = 1,
                       .mean = result.mean,
                       .linear = {.1, -.2, .3},
                       .factor = {.5, .1, -.3, .2, .7, -.4},
                       .rank = 2};
  }
  return result;
}

const std::vector<double> kShift = {.25, .5, -.75};

/// [B, D] raw points.
std::vector<double> points() { return kernels::test::uniform(6 * kD, -2, 3, 8); }

std::vector<double> forward(const Potential& potential, std::vector<double> at,
                            const std::vector<double>& shift) {
  for (std::size_t i = 0; i < at.size(); ++i) {
    if (!shift.empty()) at[i] -= shift[i % kD];
  }
  const at::Tensor x =
      torch::from_blob(at.data(), {static_cast<std::int64_t>(at.size()) / kD, kD}, torch::kFloat64);
  const at::Tensor f = potential.forward(x).detach().contiguous();
  return {f.data_ptr<double>(), f.data_ptr<double>() + f.numel()};
}

double gaussian_at(const GaussianPotential& gaussian, const double* x) {
  double value = 0;
  for (std::size_t k = 0; k < kD; ++k) {
    const double z = x[k] - gaussian.mean[k];
    value += gaussian.square * z * z + 2 * gaussian.linear[k] * z;
  }
  for (std::size_t r = 0; r < 2; ++r) {
    double projection = 0;
    for (std::size_t k = 0; k < kD; ++k) {
      projection += gaussian.factor[k * 2 + r] * (x[k] - gaussian.mean[k]);
    }
    value -= projection * projection;
  }
  return gaussian.scale * value;
}

double activated(const std::string& name, double v) {
  if (name == "silu") return v / (1 + std::exp(-v));
  if (name == "relu") return v > 0 ? v : 0;
  if (name == "gelu") return v / 2 * (1 + std::erf(v / std::sqrt(2)));
  if (name == "tanh") return std::tanh(v);
  return std::log1p(std::exp(v));
}

/// The network by loops, from the tensors that result files hold.
double network_at(const std::vector<data::NamedTensor>& tensors, const std::string& activation,
                  const double* x) {
  const auto tensor = [&](const std::string& name) -> const std::vector<double>& {
    for (const data::NamedTensor& candidate : tensors) {
      if (candidate.name == name) return candidate.values;
    }
    throw std::runtime_error("no tensor " + name);
  };
  std::vector<double> hidden;
  for (std::size_t k = 0; k < kD; ++k) {
    hidden.push_back((x[k] - tensor("input.mean")[k]) / tensor("input.deviation")[k]);
  }
  for (int layer = 0; layer < 3; ++layer) {
    const auto& weight = tensor(concat("layers.", layer, ".weight"));
    std::vector<double> next = tensor(concat("layers.", layer, ".bias"));
    for (std::size_t o = 0; o < next.size(); ++o) {
      for (std::size_t i = 0; i < hidden.size(); ++i) {
        next[o] += weight[o * hidden.size() + i] * hidden[i];
      }
      if (layer < 2) next[o] = activated(activation, next[o]);
    }
    hidden = next;
  }
  return hidden.front();
}

TEST(Potential, starts_at_the_closed_form) {
  const Potential potential(network(), inputs(), kShift, torch::kFloat64, 1);
  const std::vector<double> x = points();
  const std::vector<double> f = forward(potential, x, kShift);
  for (std::size_t i = 0; i < f.size(); ++i) {
    EXPECT_NEAR(f[i], gaussian_at(inputs().gaussian, x.data() + i * kD), 1e-13);
  }
}

TEST(Potential, starts_at_zero_without_a_quadratic_term) {
  const Potential potential(network(), inputs(false), kShift, torch::kFloat64, 1);
  for (const double value : forward(potential, points(), kShift)) EXPECT_EQ(value, 0);
}

TEST(Potential, is_the_documented_formula_for_every_activation) {
  for (const std::string& activation : neural::kActivations) {
    const Potential potential(network(activation), inputs(), kShift, torch::kFloat64, 1);
    perturb(potential);
    const std::vector<double> x = points();
    const std::vector<double> f = forward(potential, x, kShift);
    for (std::size_t i = 0; i < f.size(); ++i) {
      const double* at = x.data() + i * kD;
      EXPECT_NEAR(
          f[i],
          gaussian_at(inputs().gaussian, at) + .3 * network_at(potential.tensors(), activation, at),
          1e-13)
          << activation;
    }
  }
}

TEST(Potential, scales_its_network_and_shifts_its_gauge_apart) {
  Potential potential(network(), inputs(), kShift, torch::kFloat64, 1);
  perturb(potential);
  const std::vector<double> x = points();
  const std::vector<double> before = forward(potential, x, kShift);
  potential.scale_correction(.25);
  potential.shift_gauge(3);
  potential.shift_gauge(-1);
  const std::vector<double> after = forward(potential, x, kShift);
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double start = gaussian_at(inputs().gaussian, x.data() + i * kD);
    EXPECT_NEAR(after[i], start + .25 * (before[i] - start) + 2, 1e-13);
  }
  const Potential restored = Potential::restore(potential.description(), potential.tensors());
  EXPECT_NEAR(forward(restored, x, {})[0], after[0], 1e-13);
}

TEST(Potential, draws_its_weights_from_the_seed) {
  const auto first_layer = [](std::uint64_t seed, at::ScalarType dtype) {
    return Potential(network(), inputs(), {}, dtype, seed).parameters()[0].tensor.detach().clone();
  };
  const at::Tensor weight = first_layer(1, torch::kFloat64);
  EXPECT_TRUE(torch::equal(weight, first_layer(1, torch::kFloat64)));
  EXPECT_FALSE(torch::equal(weight, first_layer(2, torch::kFloat64)));
  EXPECT_TRUE(torch::equal(weight.to(torch::kFloat32), first_layer(1, torch::kFloat32)));
  const double bound = std::sqrt(6. / kD);
  EXPECT_LE(weight.abs().max().item<double>(), bound);
  EXPECT_GT(weight.abs().max().item<double>(), bound / 2);
}

TEST(Potential, comes_back_from_its_files) {
  for (const bool quadratic : {true, false}) {
    for (const std::string& activation : neural::kActivations) {
      const Potential potential(network(activation), inputs(quadratic), kShift, torch::kFloat64, 1);
      perturb(potential);
      const Potential restored = Potential::restore(potential.description(), potential.tensors());
      EXPECT_EQ(restored.d(), kD);
      const std::vector<double> expected = forward(potential, points(), kShift);
      const std::vector<double> actual = forward(restored, points(), {});  // raw points
      for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_NEAR(actual[i], expected[i], 1e-13);
      }
      EXPECT_EQ(restored.description().json(), potential.description().json());
    }
  }
}

/// model.json with one thing replaced.
std::string edited(const std::string& from, const std::string& to) {
  std::string text = Potential(network(), inputs(), {}, torch::kFloat64, 1).description().json();
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

TEST(Potential, refuses_a_damaged_description) {
  const auto tensors = Potential(network(), inputs(), {}, torch::kFloat64, 1).tensors();
  for (const std::string& text : {std::string(),
                                  std::string("{"),
                                  std::string("[]"),
                                  std::string("{}"),
                                  edited("\"version\": 1", "\"version\": 2"),
                                  edited("\"version\": 1", "\"revision\": 1"),
                                  edited("\"mlp\"", "\"icnn\""),
                                  edited("\"silu\"", "\"swish\""),
                                  edited("\"d\": 3", "\"d\": \"three\""),
                                  edited("\"d\": 3", "\"d\": 4"),
                                  edited("\"d\": 3", "\"d\": -3"),
                                  edited("\"rank\": 2", "\"rank\": 1"),
                                  edited("\"rank\": 2", "\"rank\": -1"),
                                  edited("\"scale\": 0.5", "\"scale\": null"),
                                  edited("\"output_scale\": 0.3", "\"output\": 0.3"),
                                  edited("    4,", "    -4,"),
                                  edited("    4,", "    6,"),
                                  edited("    4,", "    9000000000000000000,"),
                                  edited("    4,", ""),
                                  edited("\"width\": [", "\"width\": [], \"was\": [")}) {
    EXPECT_FALSE(
        message_of<DataError>([&] { Potential::restore(Record::parse(text), tensors); }).empty())
        << text;
  }
}

TEST(Potential, refuses_tensors_that_do_not_fit) {
  const Potential potential(network(), inputs(), {}, torch::kFloat64, 1);
  const std::vector<data::NamedTensor> whole = potential.tensors();
  ASSERT_EQ(whole.size(), 10u);
  for (std::size_t k = 0; k < whole.size(); ++k) {
    std::vector<data::NamedTensor> tensors = whole;
    tensors.erase(tensors.begin() + static_cast<std::ptrdiff_t>(k));
    const std::string missing =
        message_of<DataError>([&] { Potential::restore(potential.description(), tensors); });
    EXPECT_NE(missing.find(whole[k].name), std::string::npos) << missing;

    tensors = whole;
    tensors[k].shape.back() += 1;
    tensors[k].values.resize(tensors[k].values.size() * 2);
    const std::string misshapen =
        message_of<DataError>([&] { Potential::restore(potential.description(), tensors); });
    EXPECT_NE(misshapen.find(whole[k].name), std::string::npos) << misshapen;

    tensors = whole;
    tensors[k].values.pop_back();  // fewer numbers than the shape tells
    message_of<DataError>([&] { Potential::restore(potential.description(), tensors); });
  }
}

TEST(NeuralConfig, refuses_bad_values) {
  const auto refused = [](const std::string& line, const std::string& says) {
    config::Value resolved{config::Table{}, "", ""};
    const config::Value given = parsed("[solver.neural]\n" + line + "\n");
    const std::string message = message_of<ConfigError>(
        [&] { config::read<neural::NeuralConfig>(given, "solver.neural", resolved); });
    EXPECT_NE(message.find("problem.toml:2) = " + says), std::string::npos) << message;
    const std::string key = line.substr(0, line.find(' '));
    EXPECT_NE(message.find("solver.neural." + key), std::string::npos) << message;
  };
  refused("batch = 0", "0: expected 1 to 2147483647");
  refused("batch = 2147483648", "2147483648: expected 1 to");
  refused("network = { width = [] }", "[]: expected 1 to 64 of them");
  refused("network = { width = [64, 0] }", "[64, 0]: expected 1 to 65536");
  refused("network = { width = 1048576 }", "[1048576]: expected 1 to 65536");
  refused("certificate_iterations = -1", "-1: expected 0 or more");
  refused("certificate_tolerance = -1", "-1.0: expected 0 or more");
  refused("evaluation_points = -1", "-1: expected 0 or more");
  refused("gap_tolerance = 0", "0.0: expected more than 0");
  refused("steps = -1", "-1: expected 0 or more");
  refused("learning_rate = 0", "0.0: expected more than 0");
}

}  // namespace
}  // namespace kantor::test
