#include "solvers/device/device_pairs.hpp"

#include <torch/torch.h>

#include <algorithm>
#include <vector>

#include "distributed/device.hpp"
#include "runtime/core/error.hpp"
#include "solvers/device/device_soft_min.hpp"

namespace kantor {

namespace {

/// [size] or [rows, size / rows] on the host, not copied.
template <class U>
at::Tensor on_host(std::span<const U> values, at::IntArrayRef shape) {
  return torch::from_blob(const_cast<U*>(values.data()), shape, c10::CppTypeToScalarType<U>::value);
}

template <class T>
at::Tensor points_on_host(const kernels::Points<T>& points) {
  return on_host<T>({points.data, static_cast<std::size_t>(points.n * points.d)},
                    {points.n, points.d});
}

void download(const at::Tensor& from, std::span<double> to) {
  if (to.empty()) return;
  torch::from_blob(to.data(), from.sizes(), torch::kFloat64).copy_(from);
}

/// Potentials of what is left of the costs, from those of the costs, and back.
at::Tensor without_parts(const at::Tensor& potential, const at::Tensor& parts) {
  return parts.defined() ? potential - parts : potential;
}
at::Tensor with_parts(const at::Tensor& potential, const at::Tensor& parts) {
  return parts.defined() ? potential + parts : potential;
}

/// [N, M] -> [N, M rounded up to a multiple of 4], with 0 behind.
at::Tensor padded(const at::Tensor& costs) {
  const std::int64_t m = costs.size(1);
  at::Tensor result = torch::zeros({costs.size(0), (m + 3) / 4 * 4}, costs.options());
  result.narrow(1, 0, m).copy_(costs);
  return result;
}

}  // namespace

template <class T>
struct DevicePairs<T>::State {
  Context& context;
  at::Device device;
  std::vector<double> centre;
  at::Tensor a;             ///< [N_r]
  at::Tensor row_parts;     ///< [N_r] of given costs, else undefined
  at::Tensor column_parts;  ///< [M]
  TensorReduction over_y;   ///< rows x, columns y; without g
  TensorReduction over_x;   ///< rows y, columns x

  State(const RankPairs<T>& pairs, Context& context_)
      : context(context_),
        device(device_of(context_.run, context_.world)),
        centre(pairs.centre.begin(), pairs.centre.end()),
        a(upload(pairs.a)) {
    over_y = {.cost = pairs.cost, .centre = centre, .log_b = upload(pairs.log_b)};
    over_x = {.cost = pairs.cost, .centre = centre, .log_b = upload(pairs.log_a)};
    if (pairs.x.data != nullptr || pairs.y.data != nullptr) {
      over_y.x = over_x.y = points_on_host(pairs.x).to(device);
      over_y.y = over_x.x = points_on_host(pairs.y).to(device);
    } else {
      row_parts = upload(pairs.costs->row_parts);
      column_parts = upload(pairs.costs->column_parts);
      const at::Tensor costs =
          on_host<T>(pairs.costs->rest, {a.size(0), over_y.log_b.size(0)}).to(device);
      over_y.sums = padded(costs);
      over_x.sums = padded(costs.t());
    }
    make_parts();
  }

  void make_parts() {
    for (TensorReduction* each : {&over_y, &over_x}) {
      const at::Tensor anywhere = torch::zeros_like(each->log_b);
      each->parts = at::Tensor();
      each->parts = device_soft_min(context).parts_of(with(*each, anywhere, 1), context.log);
    }
  }

  /// A copy of its own: the caller's vector may end before the device has read it.
  at::Tensor upload(std::span<const double> values) const {
    return on_host<double>(values, {std::ssize(values)}).to(device, torch::kFloat64, false, true);
  }

  static TensorReduction with(const TensorReduction& reduction, at::Tensor potential,
                              double epsilon) {
    TensorReduction result = reduction;
    result.g = std::move(potential);
    result.epsilon = epsilon;
    return result;
  }
  /// Reduction of the rest of the costs; minima are to be given back their row_parts.
  TensorReduction from_g(std::span<const double> g, double epsilon) const {
    return with(over_y, without_parts(upload(g), column_parts), epsilon);
  }

  TensorSoftMin reduce(const TensorReduction& reduction, const Wanted& wanted) const {
    return device_soft_min(context).reduce(reduction, wanted, context.log);
  }
};

template <class T>
DevicePairs<T>::DevicePairs(const RankPairs<T>& pairs, Context& context) {
  const torch::NoGradGuard no_grad;
  state_ = std::make_unique<State>(pairs, context);
}

template <class T>
DevicePairs<T>::~DevicePairs() = default;

template <class T>
void DevicePairs<T>::set_rows(const kernels::Points<T>& x) {
  const torch::NoGradGuard no_grad;
  State& s = *state_;
  s.over_y.sums = at::Tensor();
  s.over_y.x = s.over_x.y = points_on_host(x).to(s.device);
  s.make_parts();
}

template <class T>
bool DevicePairs<T>::keep_costs() {
  if (keeps_costs()) return true;
  const TensorReduction& over_y = state_->over_y;
  const at::Tensor anywhere = torch::zeros_like(over_y.log_b);
  state_->over_y.sums = device_soft_min(state_->context)
                            .sums_of(State::with(over_y, anywhere, 1), state_->context.log);
  return keeps_costs();
}

template <class T>
bool DevicePairs<T>::is_worth_keeping() const {
  // By data sheets: the bandwidth that brings one number feeds about 20 multiply-adds of its type;
  // a power takes as long as several.
  constexpr std::int64_t kDimensions = 24;
  constexpr std::int64_t kDimensionsOfPowers = 2;
  const TensorReduction& over_y = state_->over_y;
  if (over_y.has_given_costs()) return true;
  return over_y.x.size(1) >=
         (over_y.cost.kind == kernels::CostKind::pnorm ? kDimensionsOfPowers : kDimensions);
}

template <class T>
bool DevicePairs<T>::keeps_costs() const {
  return state_->over_y.sums.defined();
}

template <class T>
void DevicePairs<T>::over_y(std::span<const double> g, double epsilon, std::span<double> f) const {
  const State& s = *state_;
  download(with_parts(s.reduce(s.from_g(g, epsilon), {}).f, s.row_parts), f);
}

template <class T>
void DevicePairs<T>::over_y(std::span<const double> g, double epsilon,
                            std::span<const kernels::UpdatedColumns> wanted,
                            std::span<double> f) const {
  const torch::NoGradGuard no_grad;
  const State& s = *state_;
  const TensorReduction reduction = s.from_g(g, epsilon);
  const bool has_plain = std::any_of(wanted.begin(), wanted.end(),
                                     [](const auto& each) { return each.update.is_plain(); });
  const TensorSoftMin plain =
      s.reduce(reduction, has_plain ? Wanted{.row_weights = s.a} : Wanted{});
  const at::Tensor minima = with_parts(plain.f, s.row_parts);
  for (const auto& [update, column_weights] : wanted) {
    if (update.is_plain()) {
      download(plain.columns, column_weights);
      continue;
    }
    at::Tensor moved = update.gain * minima;
    if (!update.kept.empty()) moved += s.upload(update.kept);
    const Wanted columns{.given_f = without_parts(moved, s.row_parts), .row_weights = s.a};
    download(s.reduce(reduction, columns).columns, column_weights);
  }
  download(minima, f);
}

template <class T>
void DevicePairs<T>::averages_of_y(std::span<const double> g, double epsilon, std::span<double> f,
                                   std::span<double> averages) const {
  const State& s = *state_;
  KANTOR_CHECK(!s.over_y.has_given_costs(), "there are no points to average");
  const TensorSoftMin result = s.reduce(s.from_g(g, epsilon), {.values = s.over_y.y});
  download(result.f, f);
  download(result.averages, averages);
}

template <class T>
void DevicePairs<T>::plan_columns(std::span<const double> f, std::span<const double> g,
                                  double epsilon, std::span<double> columns) const {
  const State& s = *state_;
  const Wanted wanted{.given_f = without_parts(s.upload(f), s.row_parts), .row_weights = s.a};
  download(s.reduce(s.from_g(g, epsilon), wanted).columns, columns);
}

template <class T>
void DevicePairs<T>::over_x(std::span<const double> f, double epsilon, std::span<const T> values,
                            std::int64_t num_values, std::span<double> g,
                            std::span<double> averages) const {
  const State& s = *state_;
  Wanted wanted;
  if (num_values > 0) {
    wanted.values = on_host<T>(values, {std::ssize(f), num_values}).to(s.device);
  }
  const TensorReduction reduction =
      State::with(s.over_x, without_parts(s.upload(f), s.row_parts), epsilon);
  const TensorSoftMin result = s.reduce(reduction, wanted);
  download(with_parts(result.f, s.column_parts), g);
  if (num_values > 0) download(result.averages, averages);
}

template class DevicePairs<float>;
template class DevicePairs<double>;

}  // namespace kantor
