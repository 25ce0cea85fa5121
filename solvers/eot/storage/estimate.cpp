// What each form of storage holds, and how long it takes by the table of rates.

#include <algorithm>
#include <array>

#include "runtime/core/error.hpp"
#include "runtime/kernels/row_cut.hpp"
#include "runtime/kernels/scratch.hpp"
#include "solvers/eot/storage/plan.hpp"

namespace kantor {

namespace {

using kernels::CostKind;

/// Nanoseconds per pair and thread: at_zero + per_dimension D.
struct Line {
  double at_zero, per_dimension;
  double at(std::int64_t d) const { return at_zero + per_dimension * static_cast<double>(d); }
};

/// Rates of one instruction set and type of numbers. Measured by experiments/bench/storage_rates,
/// two threads on 2 cores of an AMD EPYC (Zen 5), n = m = 4,096 and, stored, 8,192; the other sets
/// in processes of instruction_set(). Other processors have other rates, but in like proportion.
struct Rates {
  InstructionSet set;
  bool is_double;
  Line factored, euclidean, pnorm;  ///< a pass that makes the costs from points
  double materialised, absorbed;    ///< a pass that reads them
  double absorbed16 = 0;
};
constexpr std::array kRates = {
    Rates{InstructionSet::avx512, false, {.13, .0078}, {.60, .016}, {.20, .08}, .30, .18, .08},
    Rates{InstructionSet::avx512, true, {.38, .0163}, {.95, .036}, {.40, .37}, .49, .31},
    Rates{InstructionSet::avx2, false, {.28, .0151}, {.75, .017}, {.30, .17}, .35, .19, .08},
    Rates{InstructionSet::avx2, true, {.80, .0327}, {1.6, .040}, {.40, .77}, .97, .36},
    Rates{InstructionSet::portable, false, {.75, .0606}, {1.3, .018}, {.60, .38}, .86, .29, .15},
    Rates{InstructionSet::portable, true, {2.6, .121}, {4.0, .038}, {2.6, 1.03}, 3.1, .53},
};
constexpr double kFirstTouch = .47;  // of a byte that is stored
constexpr double kCoding = .3;       // of a pair: making codes and their factors

const Rates& rates_of(InstructionSet set, bool is_double) {
  for (const Rates& rates : kRates) {
    if (rates.set == set && rates.is_double == is_double) return rates;
  }
  throw ValueError("no rates for this instruction set");
}

const Line& streaming(const Rates& rates, CostKind cost) {
  return cost == CostKind::euclidean ? rates.euclidean
         : cost == CostKind::pnorm   ? rates.pnorm
                                     : rates.factored;
}

double number(std::int64_t count) { return static_cast<double>(count); }

kernels::PassShape pass_of(const SolveShape& shape, bool is_stored, bool is_transposed = false) {
  return {is_transposed ? shape.m : shape.rows, is_transposed ? shape.rows : shape.m, shape.d,
          shape.cost, is_stored};
}

/// Points, what costs keep of them, weights and their logarithms.
double point_bytes(const SolveShape& shape, double element) {
  const double points = number(shape.rows + shape.m);
  double of_one = 2 * sizeof(double);
  of_one += shape.has_matrix ? 2 * sizeof(double) : number(shape.d) * element;  // or cost parts
  if (shape.cost == CostKind::pnorm) of_one += number(shape.d) * element;       // and its columns
  if (shape.cost == CostKind::euclidean) of_one += 2 * element;
  return points * of_one;
}

/// Costs of N_r x M numbers, and a kernel whose rows are whole cache lines.
double stored_bytes(const SolveShape& shape, Storage form, std::size_t element) {
  const double costs = shape.has_matrix ? 2 : form == Storage::materialised ? 1 : 0;
  double of_row = costs * number(shape.m) * static_cast<double>(element);
  if (is_absorbed(form)) {
    const std::size_t entry = form == Storage::absorbed16 ? sizeof(std::uint16_t) : element;
    of_row += number(kernels::stored_stride(shape.m, entry, format_of(form))) *
              static_cast<double>(entry);
  }
  return of_row * number(shape.rows);
}

/// While it iterates: points, potentials, column sums, scratch memory.
template <class T>
double solve_bytes(const SolveShape& shape, Storage form) {
  const bool is_stored = shape.has_matrix || form == Storage::materialised;
  kernels::Scratch scratch =
      largest(kernels::weights_scratch<T>(pass_of(shape, is_stored), shape.threads),
              kernels::soft_min_scratch<T>(pass_of(shape, shape.has_matrix, true), shape.threads));
  if (form == Storage::materialised && !shape.has_matrix) {
    scratch = largest(scratch, kernels::store_scratch<T>(pass_of(shape, false), shape.threads));
  }
  double vectors = number(4 * shape.rows + 6 * shape.m) * sizeof(double);
  if (is_absorbed(form)) {
    scratch = largest(scratch, kernels::absorbed_scratch<T>(pass_of(shape, shape.has_matrix),
                                                            shape.threads, format_of(form)));
  }
  if (form == Storage::absorbed16) vectors += number(shape.rows + 2 * shape.m) * sizeof(double);
  return point_bytes(shape, sizeof(T)) + vectors + stored_bytes(shape, form, sizeof(T)) +
         number(scratch.bytes());
}

/// While the result is evaluated: in double, never stored unless a file gives the costs.
double evaluation_bytes(const SolveShape& shape) {
  const kernels::PassShape pass = pass_of(shape, shape.has_matrix);
  const kernels::Scratch scratch = largest(
      kernels::weights_scratch<double>(pass, shape.threads, shape.m <= kMostColumnsAtOnce ? 2 : 1),
      kernels::totals_scratch<double>(pass, shape.threads));
  const double vectors = number(6 * shape.rows + 2 * shape.n + 8 * shape.m) * sizeof(double);
  return point_bytes(shape, sizeof(double)) + vectors +
         stored_bytes(shape, Storage::streamed, sizeof(double)) + number(scratch.bytes());
}

/// Threads that work side by side on a pass.
double side_by_side(int threads) {
  const std::int64_t rounds = (kernels::kMaxLanes + threads - 1) / threads;
  return number(kernels::kMaxLanes) / number(rounds);
}

}  // namespace

StoragePlan estimate_storage(const SolveShape& shape, InstructionSet set) {
  const Rates& rates = rates_of(set, shape.is_double);
  const double pairs = 1e-9 * number(shape.rows) * number(shape.m) / side_by_side(shape.threads);
  // By the same number of threads as the rest, so that the order of the forms has none in it.
  const double points =
      kSecondsPerPoint * number(shape.rows + shape.m) / side_by_side(shape.threads);
  const std::size_t element = shape.is_double ? sizeof(double) : sizeof(float);
  const double streamed =
      shape.has_matrix ? rates.materialised : streaming(rates, shape.cost).at(shape.d);
  const double touch = kFirstTouch * static_cast<double>(element);
  const double evaluated = evaluation_bytes(shape) + shape.more_evaluation_bytes;
  const auto form = [&](Storage which, double pass, double store) {
    const double solved =
        shape.more_solve_bytes +
        (shape.is_double ? solve_bytes<double>(shape, which) : solve_bytes<float>(shape, which));
    // A matrix from a file is held in double for the evaluation that follows.
    const double stored = stored_bytes(shape, which, shape.has_matrix ? sizeof(double) : element);
    return StorageForm{std::max(solved, evaluated), stored, pairs * pass + points, pairs * store};
  };
  StoragePlan plan;
  plan.has_matrix = shape.has_matrix;
  plan.streamed = form(Storage::streamed, streamed, 0);
  plan.materialised = form(Storage::materialised, rates.materialised, streamed + touch);
  plan.absorbed = form(Storage::absorbed, rates.absorbed, streamed + touch / 2);
  if (!shape.is_double) {
    plan.absorbed16 = form(Storage::absorbed16, rates.absorbed16, streamed + touch / 4 + kCoding);
  }
  return plan;
}

}  // namespace kantor
