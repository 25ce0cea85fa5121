#include "solvers/sinkhorn/pass.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/core/process.hpp"

namespace kantor::sinkhorn {

namespace {

constexpr double kSmallestColumn = 1e-30;  // below it, exponentials that underflowed would matter

/// |exp(u) - exp(v)|, never inf - inf or 0 * inf.
double distance(double u, double v) {
  return u == v ? 0 : -std::exp(std::max(u, v)) * std::expm1(-std::abs(u - v));
}

/// Behind the column sums in the all-reduce.
struct Tail {
  double error = 0;
  double stop = 0;
  double save = 0;
  double scale = 0;  ///< summed over the ranks: a bound
  double mass = 0;
  static constexpr std::size_t kSize = 5;

  void write(double* at) const { std::copy_n(&error, kSize, at); }
  void read(const double* at) { std::copy_n(at, kSize, &error); }
};
static_assert(sizeof(Tail) == Tail::kSize * sizeof(double));

double row_error(std::span<const double> a, std::span<const double> previous_f,
                 std::span<const double> soft_minima, double epsilon, const Penalty& rho) {
  double error = 0;
  for (std::size_t i = 0; i < previous_f.size(); ++i) {
    if (a[i] == 0) continue;
    error += a[i] * distance((previous_f[i] - soft_minima[i]) / epsilon, -previous_f[i] / rho.x);
  }
  return error;
}

/// Soft minima to f. @return the largest factor by which a row of the plan grew.
double move_rows(const kernels::RowUpdate& update, std::span<const double> a, double epsilon,
                 std::span<double> f) {
  double largest = 0;
  for (std::size_t i = 0; i < f.size(); ++i) {
    const double moved = update.of(i, f[i]);
    if (a[i] > 0) largest = std::max(largest, std::exp((moved - f[i]) / epsilon));
    f[i] = moved;
  }
  return largest;
}

bool have_vanished(std::span<const double> columns, std::span<const double> b, double smallest) {
  for (std::size_t j = 0; j < b.size(); ++j) {
    if (b[j] > 0 && !(columns[j] >= smallest && std::isfinite(columns[j]))) return true;
  }
  return false;
}

/// f + shift, g - shift maximises the dual value over all shifts.
double best_shift(const Penalty& rho, double f_mass, std::span<const double> b,
                  std::span<const double> g) {
  double g_mass = 0;
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (b[j] > 0) g_mass += b[j] * std::exp(-g[j] / rho.y);
  }
  const double shift = rho.x * rho.y / (rho.x + rho.y) * std::log(f_mass / g_mass);
  return std::isfinite(shift) ? shift : 0;
}

}  // namespace

template <class T>
Pass sweep(const ShardedEot<T>& problem, const Step& step, std::span<const double> previous_f,
           std::span<const double> g, bool save, kernels::AbsorbedKernel<T>* kernel,
           Context& context) {
  const std::span<const double> a = problem.a();
  const Penalty& rho = problem.penalty();
  std::vector<double> kept;
  if (step.weight != 1) {
    for (const double value : previous_f) kept.push_back((1 - step.weight) * value);
  }
  const kernels::RowUpdate update{kept, step.weight * damping(rho.x, step.epsilon)};
  const bool is_plain = step.weight == 1 && update.gain == 1;

  Pass pass;
  pass.f.resize(a.size());
  pass.columns.assign(g.size() + Tail::kSize, 0.0);
  const std::span<double> columns = std::span(pass.columns).first(g.size());
  if (kernel != nullptr) {
    if (!kernel->holds(g)) {
      const double start = monotonic_seconds();
      kernel->absorb(problem.over_y(g), a, context.pool);
      pass.is_refreshed = true;
      pass.refresh_s = monotonic_seconds() - start;
    }
    kernel->weights(g, a, update, context.pool, pass.f, columns);
  } else {
    const kernels::UpdatedColumns wanted[] = {{update, columns}};
    problem.transform_to_x(g, step.epsilon, wanted, pass.f);
  }
  Tail tail;
  tail.error = row_error(a, previous_f, pass.f, step.epsilon, rho);
  tail.stop = context.stop_requested() ? 1 : 0;
  tail.save = save ? 1 : 0;
  if (!is_plain) tail.scale = move_rows(update, a, step.epsilon, pass.f);
  if (rho.is_free()) {
    for (std::size_t i = 0; i < a.size(); ++i) {
      if (a[i] > 0) tail.mass += a[i] * std::exp(-pass.f[i] / rho.x);
    }
  }
  tail.write(pass.columns.data() + g.size());
  context.world.all_reduce<double>(pass.columns, ReduceOp::sum, "column sums");
  tail.read(pass.columns.data() + g.size());
  pass.columns.resize(g.size());
  pass.stop = tail.stop > 0;
  pass.save = tail.save > 0;
  pass.previous_error = tail.error;
  pass.largest_scale = is_plain ? 1 : tail.scale;
  pass.f_mass = tail.mass;
  return pass;
}

template <class T>
ColumnUpdate update_g(const ShardedEot<T>& problem, const Step& step, Pass& pass,
                      std::vector<double>& g) {
  const std::span<const double> b = problem.b();
  const Penalty& rho = problem.penalty();
  const double gain = step.weight * damping(rho.y, step.epsilon);
  ColumnUpdate update;
  std::vector<double> plain(g);
  update.fell_back =
      have_vanished(pass.columns, b, kSmallestColumn * std::max(1.0, pass.largest_scale));
  if (update.fell_back) {
    problem.transform_to_y(pass.f, plain, step.epsilon);
  } else {
    for (std::size_t j = 0; j < g.size(); ++j) {
      if (b[j] > 0) plain[j] += step.epsilon * std::log(b[j] / pass.columns[j]);
    }
  }
  if (gain == 1 && step.weight == 1) {
    g = std::move(plain);
    return update;
  }
  std::vector<double> excess(g.size());  // of the logarithm of a column
  for (std::size_t j = 0; j < g.size(); ++j) {
    g[j] = (1 - step.weight) * g[j] + gain * plain[j];
    excess[j] = (g[j] - plain[j]) / step.epsilon;
  }
  if (rho.is_free()) {
    const double shift = best_shift(rho, pass.f_mass, b, g);
    for (double& value : pass.f) value += shift;
    for (double& value : g) value -= shift;
  }
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (b[j] > 0) update.error += b[j] * distance(excess[j], -g[j] / rho.y);
  }
  return update;
}

template <class T>
bool takes_kernel(const ShardedEot<T>& problem, const Step& step) {
  const bool is_coded = problem.storage() == Storage::absorbed16;
  return (step.weight == 1 || !is_coded) && problem.penalty().is_balanced() &&
         step.epsilon == problem.epsilon();
}

#define KANTOR_PASS(T)                                                                       \
  template bool takes_kernel(const ShardedEot<T>&, const Step&);                             \
  template Pass sweep(const ShardedEot<T>&, const Step&, std::span<const double>,            \
                      std::span<const double>, bool, kernels::AbsorbedKernel<T>*, Context&); \
  template ColumnUpdate update_g(const ShardedEot<T>&, const Step&, Pass&, std::vector<double>&);
KANTOR_PASS(float)
KANTOR_PASS(double)
#undef KANTOR_PASS

}  // namespace kantor::sinkhorn
