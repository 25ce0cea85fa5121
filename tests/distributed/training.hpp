#pragma once

// What the tests of training share: a context, a toy objective, and Adam written a second time.
// Shapes: B samples of the global batch, D features.

#include <torch/torch.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "distributed/shards.hpp"
#include "distributed/trainer.hpp"
#include "runtime/random/philox.hpp"
#include "tests/distributed/contract.hpp"
#include "tests/support/memory_checkpoints.hpp"

namespace kantor::test {

template <class T>
constexpr at::ScalarType scalar_type() {
  return c10::CppTypeToScalarType<T>::value;
}

template <class T>
std::span<const T> span_of(const at::Tensor& flat) {
  return {flat.const_data_ptr<T>(), static_cast<std::size_t>(flat.numel())};
}

/// A loss of its own.
inline at::Tensor one(double value) { return torch::full({}, value, at::kDouble); }
/// What Adam and the average take for a step that counts.
inline at::Tensor no_skip() { return torch::zeros({}, at::kFloat); }

/// A copy, as double.
inline std::vector<double> numbers(const at::Tensor& flat) {
  const at::Tensor copy = flat.detach().to(at::kDouble).contiguous();
  const auto view = span_of<double>(copy);
  return {view.begin(), view.end()};
}

inline double largest_difference(const std::vector<double>& a, const std::vector<double>& b) {
  double largest = a.size() == b.size() ? 0 : HUGE_VAL;
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    largest = std::max(largest, std::abs(a[i] - b[i]));
  }
  return largest;
}

/// A context of its own for as long as it lives.
class OwnContext {
 public:
  explicit OwnContext(Communicator& ranks) : log_({.rank = ranks.rank(), .quiet = true}) {
    context_.emplace(Context{.run = run_,
                             .world = ranks,
                             .pool = pool_,
                             .log = log_,
                             .metrics = metrics_,
                             .checkpoints = checkpoints,
                             .stop = &stop});
  }
  OwnContext(const OwnContext&) = delete;
  OwnContext& operator=(const OwnContext&) = delete;

  Context& operator*() { return *context_; }
  void write_metrics_to(const std::string& path) { metrics_ = metrics::MetricsFile(path); }

  MemoryCheckpoints checkpoints;
  ToldToStop stop;

 private:
  RunConfig run_;
  ThreadPool pool_{1};
  Log log_;
  metrics::MetricsFile metrics_;
  std::optional<Context> context_;
};

enum class Rows { same, fresh };  ///< in every step

/// The mean of (x . w + b - y)^2 over the global batch, of which a rank holds its shard. A row is a
/// function of its number alone. Ranks start from different weights, of which those of rank 0 are
/// to win.
template <class T>
class LeastSquares : public Objective {
 public:
  static constexpr std::int64_t kBatch = 67;  // divided by neither 2 nor 3
  static constexpr std::int64_t kFeatures = 4;

  LeastSquares(const Communicator& ranks, Rows rows)
      : shard_(shard_of(kBatch, ranks.rank(), ranks.size())),
        rows_(rows),
        weight_(torch::full({kFeatures}, 0.1 + ranks.rank(), options().requires_grad(true))),
        bias_(torch::full({1}, -0.3 - ranks.rank(), options().requires_grad(true))),
        parameters_({{"weight", weight_}, {"bias", bias_}}) {}

  FlatParameters& parameters() { return parameters_; }

  LocalLoss evaluate(const StepId& id) override {
    const auto [x, y] =
        rows(rows_ == Rows::fresh ? id.step * kBatch : 0, shard_.first, shard_.last);
    const at::Tensor loss = (torch::mv(x, weight_) + bias_ - y).square().sum() / kBatch;
    loss.backward();
    return {.value = loss.detach().to(at::kDouble), .count = static_cast<double>(shard_.count())};
  }
  std::string remedy(std::size_t) const override { return "lower table.learning_rate"; }

  /// weight and bias, [D + 1].
  std::vector<double> solution() const { return numbers(torch::cat({weight_, bias_})); }
  /// The same in closed form for Rows::same: (A^T A)^-1 A^T y with A = (x, 1).
  static std::vector<double> closed_form() {
    const auto [x, y] = rows(0, 0, kBatch);
    const at::Tensor a = torch::cat({x, torch::ones({kBatch, 1}, options())}, 1).to(at::kDouble);
    const at::Tensor right = torch::mv(a.t(), y.to(at::kDouble));
    return numbers(torch::linalg_solve(torch::mm(a.t(), a), right));
  }

  static at::TensorOptions options() { return at::TensorOptions(scalar_type<T>()); }
  /// Rows [first, last) of the batch that starts at this row: x [last - first, D], y.
  static std::tuple<at::Tensor, at::Tensor> rows(std::int64_t start, std::int64_t first,
                                                 std::int64_t last) {
    const auto count = static_cast<std::size_t>(last - first);
    std::vector<double> x, y;
    for (std::size_t i = 0; i < count; ++i) {
      const auto row = static_cast<std::uint64_t>(start + first) + i;
      double target = 0.5 * normal(row, kFeatures);  // what no line explains
      for (std::uint32_t d = 0; d < kFeatures; ++d) {
        x.push_back(normal(row, d));
        target += (d + 1) * 0.25 * x.back();
      }
      y.push_back(target + 1);
    }
    return {torch::tensor(x, at::kDouble).view({-1, kFeatures}).to(scalar_type<T>()),
            torch::tensor(y, at::kDouble).to(scalar_type<T>())};
  }

 private:
  static double normal(std::uint64_t row, std::uint32_t column) {
    return random::Stream(1, random::Purpose::test, column).normal(row);
  }

  Shard shard_;
  Rows rows_;
  at::Tensor weight_;  ///< [D]
  at::Tensor bias_;    ///< [1]
  FlatParameters parameters_;
};

/// An objective, and what a test does to its loss and its gradients.
class Tampered : public Objective {
 public:
  using Deed = std::function<void(std::int64_t step, LocalLoss& loss)>;
  Tampered(Objective& inner, Deed deed) : inner_(inner), deed_(std::move(deed)) {}
  LocalLoss evaluate(const StepId& id) override {
    LocalLoss loss = inner_.evaluate(id);
    deed_(id.step, loss);
    return loss;
  }
  std::string remedy(std::size_t group) const override { return inner_.remedy(group); }

 private:
  Objective& inner_;
  Deed deed_;
};

/// Adam with decoupled weight decay in double, as printed: Loshchilov & Hutter 2019, algorithm 2.
struct ReferenceAdam {
  double beta1, beta2, weight_decay;
  std::vector<double> values;
  std::vector<double> m = std::vector<double>(values.size());
  std::vector<double> v = std::vector<double>(values.size());
  int t = 0;

  void update(const std::vector<double>& gradients, double rate) {
    ++t;
    for (std::size_t i = 0; i < values.size(); ++i) {
      m[i] = beta1 * m[i] + (1 - beta1) * gradients[i];
      v[i] = beta2 * v[i] + (1 - beta2) * gradients[i] * gradients[i];
      const double m_hat = m[i] / (1 - std::pow(beta1, t));
      const double v_hat = v[i] / (1 - std::pow(beta2, t));
      values[i] -= rate * (m_hat / (std::sqrt(v_hat) + 1e-8) + weight_decay * values[i]);
    }
  }
};

}  // namespace kantor::test
