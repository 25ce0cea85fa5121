#include "solvers/sinkhorn/sweep.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "solvers/eot/target_mass.hpp"
#include "solvers/sinkhorn/absorbed/absorbed_sweep.hpp"

namespace kantor::sinkhorn {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// Below it, exponentials that underflowed would matter: of float in any column, of double in one
/// that is far from its weight.
template <class T>
double smallest_column(double weight) {
  constexpr double kSmallest = 1e-30;
  constexpr double kHeldByDouble = 1e-290;
  return sizeof(T) == 4 ? kSmallest : std::max(kSmallest * weight, kHeldByDouble);
}

/// |exp(u) - exp(v)|, never inf - inf or 0 * inf.
double distance(double u, double v) {
  return u == v ? 0 : -std::exp(std::max(u, v)) * std::expm1(-std::abs(u - v));
}

/// Behind the column sums in the all-reduce.
struct Tail {
  double error = 0;
  double stop = 0;
  double save = 0;
  double scale = 0;   ///< summed over the ranks: a bound
  double mass = 0;    ///< of the plan that was measured, over that of the level
  double target = 0;  ///< sum_i a_i exp(-f_i / rho_x), over that of the level
  static constexpr std::size_t kSize = 6;

  void write(double* at) const { std::copy_n(&error, kSize, at); }
  void read(const double* at) { std::copy_n(at, kSize, &error); }
};
static_assert(sizeof(Tail) == Tail::kSize * sizeof(double));

/// An error over the mass of the plan. Masses beyond double are none that an error could be small
/// beside.
double relative_to(double mass, double error) {
  if (std::isnan(error) || std::isnan(mass)) return std::nan("");
  return mass > 0 && std::isfinite(mass) ? error / mass : kInfinity;
}

/// Error and mass of the rows of the plan of the previous f. @param level see log_target_mass().
void measure_rows(std::span<const double> a, std::span<const double> previous_f,
                  std::span<const double> soft_minima, double epsilon, const Penalty& rho,
                  double level, Tail& tail) {
  for (std::size_t i = 0; i < previous_f.size(); ++i) {
    if (a[i] == 0) continue;
    const double row = (previous_f[i] - soft_minima[i]) / epsilon - level;
    tail.error += a[i] * distance(row, -previous_f[i] / rho.x - level);
    if (!rho.is_balanced()) tail.mass += a[i] * std::exp(row);
  }
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

template <class T>
bool have_vanished(std::span<const double> columns, std::span<const double> b, double scale) {
  for (std::size_t j = 0; j < b.size(); ++j) {
    if (b[j] > 0 && !(columns[j] >= scale * smallest_column<T>(b[j]) && std::isfinite(columns[j])))
      return true;
  }
  return false;
}

/// log sum_i a_i exp(-f_i / rho_x) over all ranks, however large the exponents are.
double log_sum_over_ranks(std::span<const double> a, std::span<const double> f, double rho,
                          Context& context) {
  double largest = largest_exponent(a, f, rho);
  context.world.all_reduce<double>({&largest, 1}, ReduceOp::max, "largest exponent");
  double sum = sum_of_targets(a, f, rho, largest);
  context.world.all_reduce<double>({&sum, 1}, ReduceOp::sum, "sum of exponentials");
  return largest + std::log(sum);
}

}  // namespace

template <class T>
Swept Sweep<T>::run(const Step& step, std::span<const double> previous_f, std::span<const double> g,
                    bool save) {
  const std::span<const double> a = problem_.a();
  const Penalty& rho = problem_.penalty();
  std::vector<double> kept;
  if (step.weight != 1) {
    for (const double value : previous_f) kept.push_back((1 - step.weight) * value);
  }
  const kernels::RowUpdate update{kept, step.weight * damping(rho.x, step.epsilon)};
  const bool is_plain = step.weight == 1 && update.gain == 1;

  Swept swept;
  swept.f.resize(a.size());
  swept.columns.assign(g.size() + Tail::kSize, 0.0);
  sum_pairs(step, g, update, std::span(swept.columns).first(g.size()), swept);
  const double level = log_target_mass(problem_.b(), g, rho.y);
  Tail tail;
  measure_rows(a, previous_f, swept.f, step.epsilon, rho, level, tail);
  tail.stop = context_.stop_requested() ? 1 : 0;
  tail.save = save ? 1 : 0;
  if (!is_plain) tail.scale = move_rows(update, a, step.epsilon, swept.f);
  if (rho.is_free()) tail.target = sum_of_targets(a, swept.f, rho.x, level);
  tail.write(swept.columns.data() + g.size());
  context_.world.template all_reduce<double>(swept.columns, ReduceOp::sum, "column sums");
  tail.read(swept.columns.data() + g.size());
  swept.columns.resize(g.size());
  swept.stop = tail.stop > 0;
  swept.save = tail.save > 0;
  swept.row_error = rho.is_balanced() ? tail.error : relative_to(tail.mass, tail.error);
  swept.largest_scale = is_plain ? 1 : tail.scale;
  if (rho.is_free()) {
    const bool is_in_range = tail.target > 0 && std::isfinite(tail.target);
    swept.log_f_mass = is_in_range ? level + std::log(tail.target)
                                   : log_sum_over_ranks(a, swept.f, rho.x, context_);
  }
  return swept;
}

template <class T>
std::unique_ptr<Sweep<T>> sweep_of(const ShardedPairs<T>& problem, Context& context) {
  if (problem.is_absorbed()) return std::make_unique<AbsorbedSweep<T>>(problem, context);
  return std::make_unique<DirectSweep<T>>(problem, context);
}

template <class T>
ColumnUpdate update_g(const ShardedPairs<T>& problem, const Step& step, Swept& swept,
                      std::vector<double>& g) {
  const std::span<const double> b = problem.b();
  const Penalty& rho = problem.penalty();
  const double gain = step.weight * damping(rho.y, step.epsilon);
  ColumnUpdate update;
  std::vector<double> plain(g);
  update.fell_back = have_vanished<T>(swept.columns, b, std::max(1.0, swept.largest_scale));
  if (update.fell_back) {
    problem.transform_to_y(swept.f, plain, step.epsilon);
  } else {
    for (std::size_t j = 0; j < g.size(); ++j) {
      if (b[j] > 0) plain[j] += step.epsilon * std::log(b[j] / swept.columns[j]);
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
    const double shift = rho.x * rho.y / (rho.x + rho.y) *
                         (swept.log_f_mass - log_target_mass(b, g, rho.y));  // the best of the line
    for (double& value : swept.f) value += shift;
    for (double& value : g) value -= shift;
  }
  const double level = log_target_mass(b, g, rho.y);
  double mass = 0;
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (b[j] == 0) continue;
    update.error += b[j] * distance(excess[j] - level, -g[j] / rho.y - level);
    mass += b[j] * std::exp(excess[j] - level);
  }
  if (!rho.is_balanced()) update.error = relative_to(mass, update.error);
  return update;
}

template class Sweep<float>;
template class Sweep<double>;
#define KANTOR_SWEEP(T)                                                          \
  template std::unique_ptr<Sweep<T>> sweep_of(const ShardedPairs<T>&, Context&); \
  template ColumnUpdate update_g(const ShardedPairs<T>&, const Step&, Swept&, std::vector<double>&);
KANTOR_SWEEP(float)
KANTOR_SWEEP(double)
#undef KANTOR_SWEEP

}  // namespace kantor::sinkhorn
