// The kernels against naive ones in double, a thread for each row or column, on the card itself.
// Shapes: N rows x, M columns y, D dimensions, K value columns.

#include <array>
#include <cmath>

#include "tests/runtime/kernels/cuda/card/card.hpp"

namespace kantor::card {
namespace {

using cuda::CostForm;
using cuda::PairCost;
using cuda::SoftMinCall;

struct NamedCost {
  const char* name;
  PairCost cost;
};
constexpr NamedCost kCosts[] = {{"sqeuclidean", {CostForm::products, 1, 2, 2}},
                                {"half_sqeuclidean", {CostForm::products, .5, 1, 2}},
                                {"dot", {CostForm::products, 0, 1, 2}},
                                {"euclidean", {CostForm::distance, 0, 0, 2}},
                                {"pnorm 1.5", {CostForm::powers, 0, 0, 1.5}},
                                {"pnorm 3", {CostForm::powers, 0, 0, 3}}};

template <class T>
struct Naive {
  PairCost cost;
  const T *x, *y;
  const double *log_b, *g;
  double epsilon;
  std::int64_t n, m, d;

  __device__ double logit(std::int64_t i, std::int64_t j) const {
    if (log_b[j] == -HUGE_VAL) return -HUGE_VAL;  // whatever g is
    double sum = 0;
    for (std::int64_t k = 0; k < d; ++k) {
      const double u = x[i * d + k], v = y[j * d + k], apart = fabs(u - v);
      sum += cost.form == CostForm::products
                 ? cost.squares * (u * u + v * v) - cost.products * u * v
             : cost.form == CostForm::distance ? apart * apart
                                               : pow(apart, cost.p) / cost.p;
    }
    if (cost.form == CostForm::distance) sum = sqrt(sum);
    return log_b[j] + (g[j] - sum) / epsilon;
  }
};

__device__ std::int64_t own_number() {
  return static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
}

template <class T>
__global__ void naive_rows(Naive<T> of, double* f, const T* values, std::int64_t num_values,
                           double* averages) {
  const std::int64_t i = own_number();
  if (i >= of.n) return;
  double top = -HUGE_VAL, sum = 0;
  for (std::int64_t j = 0; j < of.m; ++j) top = fmax(top, of.logit(i, j));
  for (std::int64_t j = 0; j < of.m; ++j) sum += exp(of.logit(i, j) - top);
  f[i] = -of.epsilon * (top + log(sum));
  for (std::int64_t k = 0; k < num_values; ++k) {
    double average = 0;
    for (std::int64_t j = 0; j < of.m; ++j) {
      average +=
          exp(of.logit(i, j) + f[i] / of.epsilon) * static_cast<double>(values[j * num_values + k]);
    }
    averages[i * num_values + k] = average;
  }
}

/// @param[out] sizes [M] the same sums of the weights' magnitudes, to which errors are relative.
template <class T>
__global__ void naive_columns(Naive<T> of, const double* f, const double* weights, double* sums,
                              double* sizes) {
  const std::int64_t j = own_number();
  if (j >= of.m) return;
  double sum = 0, size = 0;
  for (std::int64_t i = 0; i < of.n; ++i) {
    const double plan = exp(of.logit(i, j) + f[i] / of.epsilon);
    sum += weights[i] * plan;
    size += fabs(weights[i]) * plan;
  }
  sums[j] = sum;
  sizes[j] = size;
}

unsigned blocks_of(std::int64_t count) { return static_cast<unsigned>((count + 127) / 128); }

struct Case {
  const NamedCost& cost;
  std::int64_t n, m, d, num_values;
  bool keeps;
  std::int64_t rows_at_once;
  double epsilon = .5;
};

/// Largest of f / epsilon, columns, averages, columns of a given f; NaN counts as infinite.
using Errors = std::array<double, 4>;

void raise(double& error, double to) {
  error = to <= error ? error : std::isnan(to) ? HUGE_VAL : to;
}

template <class T>
class Comparison {
 public:
  explicit Comparison(const Case& c)
      : case_(c),
        side_(1 / std::sqrt(static_cast<double>(c.d))),
        x_(normal(c.n * c.d, side_, 0, 1)),
        y_(normal(c.m * c.d, side_, .3 * side_, 2)),
        values_(normal(c.m * c.num_values, 1, 0, 3)),
        log_b_(log_weights(c.m)),
        g_(potential(c.m)),
        weights_(normal(c.n, .1 / static_cast<double>(c.n), 1 / static_cast<double>(c.n), 6)),
        signed_weights_(normal(c.n, 1 / static_cast<double>(c.n), 0, 7)) {}

  Errors errors() const {
    const auto [n, m] = std::pair{case_.n, case_.m};
    const std::int64_t num_averages = n * case_.num_values;
    const Naive<T> naive{case_.cost.cost, x_.get(), y_.get(), log_b_.get(), g_.get(),
                         case_.epsilon,   n,        m,        case_.d};
    const Buffer<double> f(n), columns(m), averages(num_averages), exact_f(n), exact_columns(m),
        sizes(m), exact_averages(num_averages);
    SoftMinCall call = base_call();
    const std::int64_t stride = (m + 3) / 4 * 4;
    const Buffer<T> sums(case_.keeps ? n * stride : 0);
    const Buffer<double> parts(n + m);
    if (case_.keeps) {
      call.kept_sums = sums.get();
      call.kept_parts = parts.get();
      call.sums_stride = stride;
      run(call);
      call.kept_sums = call.kept_parts = nullptr;
      call.sums = sums.get();
      call.parts = parts.get();
    }
    SoftMinCall forward = call;
    forward.f = f.get();
    forward.row_weights = weights_.get();
    forward.column_weights = columns.get();
    if (num_averages > 0) {
      forward.values = values_.get();
      forward.num_values = case_.num_values;
      forward.averages = averages.get();
    }
    run(forward);
    naive_rows<T><<<blocks_of(n), 128>>>(naive, exact_f.get(), values_.get(), case_.num_values,
                                         exact_averages.get());
    naive_columns<T><<<blocks_of(m), 128>>>(naive, exact_f.get(), weights_.get(),
                                            exact_columns.get(), sizes.get());
    Errors worst{};
    raise_each(worst[0], f, exact_f, case_.epsilon);
    raise_relative(worst[1], columns, exact_columns, sizes);
    raise_each(worst[2], averages, exact_averages, 1);

    std::vector<double> moved = exact_f.values();
    for (std::size_t i = 0; i < moved.size(); ++i)
      moved[i] += .3 * case_.epsilon * std::sin(i + 1.);
    const Buffer<double> given(moved);
    call.given_f = given.get();
    call.row_weights = signed_weights_.get();
    call.column_weights = columns.get();
    run(call);
    naive_columns<T><<<blocks_of(m), 128>>>(naive, given.get(), signed_weights_.get(),
                                            exact_columns.get(), sizes.get());
    raise_relative(worst[3], columns, exact_columns, sizes);
    return worst;
  }

 private:
  SoftMinCall base_call() const {
    SoftMinCall call;
    call.is_double = sizeof(T) == 8;
    call.cost = case_.cost.cost;
    call.d = case_.d;
    call.x = {x_.get(), case_.n, case_.d};
    call.y = {y_.get(), case_.m, case_.d};
    call.log_b = log_b_.get();
    call.g = g_.get();
    call.epsilon = case_.epsilon;
    call.rows_at_once = case_.rows_at_once;
    return call;
  }
  /// One is absent, with a potential that is no number.
  static std::vector<double> log_weights(std::int64_t m) {
    std::vector<double> result = normal(m, 1, 0, 4);
    for (double& value : result)
      value = std::log((.05 + std::fabs(value)) / static_cast<double>(m));
    if (m > 1) result[m / 2] = -HUGE_VAL;
    return result;
  }
  static std::vector<double> potential(std::int64_t m) {
    std::vector<double> result = normal(m, .3, 0, 5);
    if (m > 1) result[m / 2] = NAN;
    return result;
  }
  static void raise_each(double& error, const Buffer<double>& got, const Buffer<double>& exact,
                         double unit) {
    const std::vector<double> mine = got.values(), right = exact.values();
    for (std::size_t k = 0; k < mine.size(); ++k)
      raise(error, std::fabs(mine[k] - right[k]) / unit);
  }
  static void raise_relative(double& error, const Buffer<double>& got, const Buffer<double>& exact,
                             const Buffer<double>& sizes) {
    const std::vector<double> mine = got.values(), right = exact.values(), of = sizes.values();
    for (std::size_t k = 0; k < mine.size(); ++k) {
      if (of[k] > 0) raise(error, std::fabs(mine[k] - right[k]) / of[k]);
    }
  }

  const Case& case_;
  double side_;
  Buffer<T> x_, y_, values_;
  Buffer<double> log_b_, g_, weights_, signed_weights_;
};

/// Logits reach 64: three roundings of that size in f, three in the plan that f is put into, make
/// 200 epsilon of float; sums of 24 terms and the special function unit add a tenth of that. Twice
/// as much is allowed; of double, where 2^x and log2 are library functions, five times as much
/// more.
template <class T>
constexpr double kLimit = sizeof(T) == 4 ? 400 * 0x1p-23 : 2000 * 0x1p-52;

template <class T>
bool is_right(const Case& c, Errors& worst) {
  const Errors errors = Comparison<T>(c).errors();
  bool is_wrong = false;
  for (std::size_t k = 0; k < errors.size(); ++k) {
    is_wrong = is_wrong || !(errors[k] <= kLimit<T>);
    raise(worst[k], errors[k]);
  }
  if (is_wrong) {
    std::printf(
        "FAIL %s, %zu bytes a number, %ld x %ld, d %ld, %ld values, %s, %ld rows at once: f %.1e, "
        "columns %.1e, averages %.1e, columns of a given f %.1e (at most %.1e)\n",
        c.cost.name, sizeof(T), static_cast<long>(c.n), static_cast<long>(c.m),
        static_cast<long>(c.d), static_cast<long>(c.num_values), c.keeps ? "kept sums" : "points",
        static_cast<long>(c.rows_at_once), errors[0], errors[1], errors[2], errors[3], kLimit<T>);
  }
  return !is_wrong;
}

template <class T>
bool check_type(bool is_short) {
  constexpr std::int64_t kSizes[] = {1, 31, 33, 64, 65, 127, 129, 257};
  constexpr std::int64_t kDimensions[] = {1, 2, 3, 16, 63, 64, 65, 100};
  constexpr std::int64_t kValues[] = {3, 33, 0, 1};
  bool is_good = true;
  Errors worst{};
  std::size_t turn = 0;
  for (const NamedCost& cost : kCosts) {
    for (const std::int64_t n : kSizes) {
      for (const std::int64_t m : kSizes) {
        ++turn;
        if (is_short && (n + m) % 3 != 0) continue;
        const Case c{cost,
                     n,
                     m,
                     kDimensions[turn % 8],
                     kValues[turn % 4],
                     turn % 5 == 4,
                     static_cast<std::int64_t>(turn % 3) * 64};
        is_good = is_right<T>(c, worst) && is_good;
      }
    }
    if (is_short) continue;
    is_good = is_right<T>({cost, 3000, 5003, 3, 2, false, 0}, worst) && is_good;
    is_good = is_right<T>({cost, 700, 900, 784, 40, true, 0}, worst) && is_good;
    is_good = is_right<T>({cost, 4160, 8300, 2, 0, false, 0}, worst) && is_good;
  }
  std::printf(
      "%s: worst f %.1e, columns %.1e, averages %.1e, columns of a given f %.1e (at most %.1e)\n",
      sizeof(T) == 4 ? "float32" : "float64", worst[0], worst[1], worst[2], worst[3], kLimit<T>);
  return is_good;
}

/// Whether two runs, and one that reads kept sums, give the same bits.
bool is_repeated(std::int64_t n, std::int64_t m, std::int64_t d) {
  const Buffer<float> x(normal(n * d, .125, 0, 1)), y(normal(m * d, .125, 0, 2)), sums(n * m);
  const Buffer<double> log_b(std::vector<double>(m, -std::log(static_cast<double>(m)))),
      g(std::vector<double>(m, .1)), weights(std::vector<double>(n, 1 / static_cast<double>(n))),
      f(n), columns(m);
  SoftMinCall call;
  call.d = d;
  call.x = {x.get(), n, d};
  call.y = {y.get(), m, d};
  call.log_b = log_b.get();
  call.g = g.get();
  call.epsilon = .1;
  SoftMinCall keep = call;
  keep.kept_sums = sums.get();
  keep.sums_stride = m;
  run(keep);
  call.f = f.get();
  call.row_weights = weights.get();
  call.column_weights = columns.get();
  const auto bits = [&] {
    run(call);
    return std::pair{f.values(), columns.values()};
  };
  const auto first = bits();
  const bool is_same_again = bits() == first;
  call.sums = sums.get();
  call.sums_stride = m;
  const bool is_same_of_kept = bits() == first;
  std::printf("%s%ld x %ld, d %ld: a second run gives %s bits, kept sums %s\n",
              is_same_again && is_same_of_kept ? "" : "FAIL ", static_cast<long>(n),
              static_cast<long>(m), static_cast<long>(d), is_same_again ? "the same" : "OTHER",
              is_same_of_kept ? "the same" : "OTHER");
  return is_same_again && is_same_of_kept;
}

}  // namespace

bool check_values(bool is_short) {
  const bool is_float_good = check_type<float>(is_short);
  return check_type<double>(is_short) && is_float_good;
}

bool check_bits() {
  bool is_good = true;
  for (const auto& [n, m, d] :
       {std::array<std::int64_t, 3>{512, 20'000, 64}, {4096, 4096, 32}, {20'000, 20'000, 64}}) {
    is_good = is_repeated(n, m, d) && is_good;
  }
  return is_good;
}

}  // namespace kantor::card
