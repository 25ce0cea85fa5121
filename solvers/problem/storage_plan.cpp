#include "solvers/problem/storage_plan.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "distributed/together.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "runtime/kernels/row_cut.hpp"
#include "runtime/kernels/scratch.hpp"

namespace kantor {

namespace {

using kernels::CostKind;
using kernels::InstructionSet;

/// Nanoseconds per pair and thread: at_zero + per_dimension D.
struct Line {
  double at_zero, per_dimension;
  double at(std::int64_t d) const { return at_zero + per_dimension * static_cast<double>(d); }
};

/// Of one instruction set and one type of numbers. Measured by experiments/bench/storage_rates, two
/// threads on 2 cores of an AMD EPYC (Zen 5), n = m = 4,096 and, stored, 8,192; the other sets in
/// builds whose best_instruction_set() answered them. Other processors have other rates, but in
/// like proportion.
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
constexpr double kFirstTouch = .47;    // of a byte that is stored
constexpr double kCoding = .3;         // of a pair: making codes and their factors
constexpr double kWorthStoring = 1.2;  // how much faster a form must be that takes N_r M numbers

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

constexpr std::array kKept = {Storage::materialised, Storage::absorbed, Storage::absorbed16};

double number(std::int64_t count) { return static_cast<double>(count); }

kernels::PassShape pass_of(const SolveShape& shape, bool is_stored, bool is_transposed = false) {
  return {is_transposed ? shape.m : shape.rows, is_transposed ? shape.rows : shape.m, shape.d,
          shape.cost, is_stored};
}

/// Points, what costs keep of them, weights and their logarithms.
double point_bytes(const SolveShape& shape, double element) {
  const double points = number(shape.rows + shape.m);
  double of_one = 2 * sizeof(double);
  if (!shape.has_matrix) of_one += number(shape.d) * element;
  if (shape.cost == CostKind::pnorm) of_one += number(shape.d) * element;  // and its columns
  if (shape.cost == CostKind::euclidean) of_one += 2 * element;
  return points * of_one;
}

/// Costs and kernels of N_r x M numbers.
double stored_bytes(const SolveShape& shape, Storage form, double element) {
  const double costs = shape.has_matrix ? 2 : form == Storage::materialised ? 1 : 0;
  const double kernel = form == Storage::absorbed     ? element
                        : form == Storage::absorbed16 ? sizeof(std::uint16_t)
                                                      : 0;
  return (costs * element + kernel) * number(shape.rows) * number(shape.m);
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
  const double vectors = number(6 * shape.rows + 2 * shape.n + 6 * shape.m) * sizeof(double);
  return point_bytes(shape, sizeof(double)) + vectors +
         stored_bytes(shape, Storage::streamed, sizeof(double)) + number(scratch.bytes());
}

/// Threads that work side by side on a pass.
double side_by_side(int threads) {
  const std::int64_t rounds = (kernels::kMaxLanes + threads - 1) / threads;
  return number(kernels::kMaxLanes) / number(rounds);
}

std::string milliseconds(double seconds) {
  if (seconds >= .0995) return format_seconds(seconds);
  char text[40];
  std::snprintf(text, sizeof text, "%.2g ms", 1000 * seconds);
  return text;
}

void keep_largest(StoragePlan& plan, Communicator& world) {
  StorageForm* const forms[] = {&plan.streamed, &plan.materialised, &plan.absorbed,
                                &plan.absorbed16};
  std::vector<double> values = {-plan.budget};
  for (const StorageForm* form : forms) {
    values.insert(values.end(), {form->bytes, form->stored_bytes, form->seconds_per_iteration,
                                 form->seconds_to_store});
  }
  world.all_reduce<double>(values, ReduceOp::max, "storage plan");
  plan.budget = -values[0];
  std::size_t at = 1;
  for (StorageForm* form : forms) {
    *form = {values[at], values[at + 1], values[at + 2], values[at + 3]};
    at += 4;
  }
}

double seconds_of(const StoragePlan& plan, Storage form, const Workload& workload) {
  const StorageForm& costs = plan.of(form);
  constexpr double kMore = 3;  // refreshes where codes would show
  const double stores = !is_absorbed(form)            ? 1
                        : form == Storage::absorbed16 ? workload.refreshes + kMore
                                                      : workload.refreshes;
  return workload.iterations * costs.seconds_per_iteration + stores * costs.seconds_to_store;
}

[[noreturn]] void refuse(const StoragePlan& plan, Storage asked, const Communicator& world) {
  const StorageForm& wanted = plan.of(asked);
  const double needed = plan.is_strict ? wanted.stored_bytes : 1.1 * wanted.bytes;
  const std::string figures = concat(
      format_bytes(needed), plan.is_strict ? " of stored costs" : ", a tenth spare included,",
      " per rank, more than the ", format_bytes(plan.budget),
      plan.is_strict ? " that run.deterministic = \"strict\" allows"
                     : " that may be used of its share of the free memory");
  if (plan.has_matrix) {
    fail_alike(world, ConfigError(concat("the costs of problem.cost_file need ", figures,
                                         "; use more ranks or hosts")));
  }
  const char* remedy = asked == Storage::streamed ? "use more hosts, fewer threads or ranks on each"
                       : plan.fits(Storage::streamed) ? "use \"auto\", \"streamed\" or more ranks"
                                                      : "use more hosts";
  fail_alike(world, ConfigError(concat("solver.sinkhorn.storage = \"", name_of(asked), "\" needs ",
                                       figures, "; ", remedy)));
}

/// An absorbed kernel is the host's.
bool can_go_on(const StoragePlan& plan, Storage begun_with) {
  if (!plan.is_on_device) return begun_with == Storage::automatic || plan.fits(begun_with);
  return !is_absorbed(begun_with);
}

}  // namespace

Storage storage_named(const std::string& name) {
  if (name == "auto") return Storage::automatic;
  if (name == "materialised") return Storage::materialised;
  if (name == "absorbed") return Storage::absorbed;
  if (name == "absorbed16") return Storage::absorbed16;
  KANTOR_CHECK(name == "streamed", "unknown storage ", name);
  return Storage::streamed;
}

const char* name_of(Storage storage) {
  return storage == Storage::automatic      ? "auto"
         : storage == Storage::materialised ? "materialised"
         : storage == Storage::absorbed     ? "absorbed"
         : storage == Storage::absorbed16   ? "absorbed16"
                                            : "streamed";
}

const StorageForm& StoragePlan::of(Storage which) const {
  return which == Storage::materialised ? materialised
         : which == Storage::absorbed   ? absorbed
         : which == Storage::absorbed16 ? absorbed16
                                        : streamed;
}

bool StoragePlan::fits(Storage which) const {
  if (is_strict) return of(which).stored_bytes <= budget;
  return 1.1 * of(which).bytes <= budget;
}

void StoragePlan::take(const MeasuredStorage& measured) {
  const double making = measured.streamed_s / streamed.seconds_per_iteration;
  const double reading = measured.iteration_s / chosen().seconds_per_iteration;
  const double storing =
      measured.store_s > 0 ? measured.store_s / chosen().seconds_to_store : making;
  streamed.seconds_per_iteration *= making;
  for (StorageForm* costs : {&materialised, &absorbed, &absorbed16}) {
    costs->seconds_per_iteration *= reading;
    costs->seconds_to_store *= storing;
  }
}

std::string StoragePlan::text(const std::string& word) const {
  if (is_on_device) {
    const std::string kept = concat(format_bytes(materialised.bytes), " per rank with costs kept");
    return concat(name_of(form), " on the GPU: ",
                  form == Storage::materialised ? kept : format_bytes(streamed.bytes) + " per rank",
                  form == Storage::automatic ? concat(" (", kept, ")") : "");
  }
  const auto described = [&](Storage which) {
    const StorageForm& costs = of(which);
    const std::string store =
        which == Storage::streamed || (has_matrix && which == Storage::materialised)
            ? ""
            : concat(" + ", milliseconds(costs.seconds_to_store),
                     is_absorbed(which) ? " a refresh" : " once");
    return concat(format_bytes(costs.bytes), which == form ? " per rank" : "", ", ",
                  milliseconds(costs.seconds_per_iteration),
                  which == form ? concat(" an iteration ", word) : "", store,
                  fits(which) ? "" : ": too large");
  };
  std::string others;
  for (const Storage which :
       {Storage::streamed, Storage::materialised, Storage::absorbed, Storage::absorbed16}) {
    if (which == form || of(which).bytes == 0 || (has_matrix && which == Storage::streamed)) {
      continue;
    }
    others += concat(others.empty() ? "" : "; ", name_of(which), " ", described(which));
  }
  return concat(name_of(form), ": ", described(form), " (", others, ")");
}

StoragePlan estimate_storage(const SolveShape& shape, InstructionSet set) {
  const Rates& rates = rates_of(set, shape.is_double);
  const double pairs = 1e-9 * number(shape.rows) * number(shape.m) / side_by_side(shape.threads);
  // By the same number of threads as the rest, so that the order of the forms has none in it.
  const double points =
      kSecondsPerPoint * number(shape.rows + shape.m) / side_by_side(shape.threads);
  const double element = shape.is_double ? 8 : 4;
  const double streamed =
      shape.has_matrix ? rates.materialised : streaming(rates, shape.cost).at(shape.d);
  const double touch = kFirstTouch * element;
  const double evaluated = evaluation_bytes(shape) + shape.more_evaluation_bytes;
  const auto form = [&](Storage which, double pass, double store) {
    const double solved =
        shape.more_solve_bytes +
        (shape.is_double ? solve_bytes<double>(shape, which) : solve_bytes<float>(shape, which));
    // A matrix from a file is held in double for the evaluation that follows.
    const double stored = stored_bytes(shape, which, shape.has_matrix ? 8 : element);
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

Storage choose_storage(const StoragePlan& plan, const Workload& workload) {
  Storage fastest = Storage::streamed;
  double seconds = seconds_of(plan, fastest, workload) / kWorthStoring;
  for (const Storage which : kKept) {
    if (is_absorbed(which) && workload.refreshes == 0) continue;
    if (plan.of(which).bytes == 0) continue;
    if (!plan.fits(which) || seconds_of(plan, which, workload) >= seconds) continue;
    fastest = which;
    seconds = seconds_of(plan, which, workload);
  }
  return fastest;
}

double memory_budget(const Context& context) {
  constexpr double kStrict = 256e6;
  if (context.run.deterministic == "strict") return kStrict;
  return .85 * static_cast<double>(available_memory_bytes()) /
         static_cast<double>(context.world.local_size());
}

StoragePlan plan_storage(const SolveShape& shape, Storage asked, const Workload& workload,
                         Context& context) {
  return plan_storage(shape, asked, workload, memory_budget(context), context);
}

StoragePlan plan_storage(const SolveShape& shape, Storage asked, const Workload& given,
                         double budget, Context& context) {
  Workload workload = given;
  StoragePlan plan = estimate_storage(shape, kernels::best_instruction_set());
  plan.budget = budget;
  plan.is_strict = context.run.deterministic == "strict";
  if (asked == Storage::absorbed16 && shape.is_double) {
    fail_alike(
        context.world,
        ConfigError("solver.sinkhorn.storage = \"absorbed16\" keeps its kernel in 16 bits, "
                    "which run.precision = \"float64\" cannot be made of; use \"absorbed\" or "
                    "\"float32\""));
  }
  plan.is_on_device = context.device_soft_min != nullptr;
  keep_largest(plan, context.world);
  if (asked == Storage::automatic && workload.begun_with) {
    if (can_go_on(plan, *workload.begun_with)) {
      asked = *workload.begun_with;
    } else {
      context.log.warn_once(concat("the run began with its costs ", name_of(*workload.begun_with),
                                   ", which they cannot be here, for lack of memory or on another "
                                   "device; what follows may differ by rounding from a run that "
                                   "was not stopped"));
      workload.refreshes = 0;  // its checkpoint has no absorbed kernel
    }
  }
  if (plan.has_matrix && !is_absorbed(asked)) asked = Storage::materialised;
  plan.form =
      asked == Storage::automatic && !plan.is_on_device ? choose_storage(plan, workload) : asked;
  const Storage held = plan.is_on_device && !plan.has_matrix ? Storage::streamed : plan.form;
  if (!plan.fits(held)) refuse(plan, held, context.world);
  return plan;
}

}  // namespace kantor
