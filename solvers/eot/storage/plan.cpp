#include "solvers/eot/storage/plan.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <vector>

#include "distributed/collectively.hpp"
#include "distributed/rank_memory.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {

namespace {

constexpr double kWorthStoring = 1.2;  // how much faster a form must be that takes N_r M numbers

constexpr std::array kKept = {Storage::materialised, Storage::absorbed, Storage::absorbed16};

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
  if (form != Storage::absorbed16) {
    const double stores = is_absorbed(form) ? workload.refreshes : 1;
    return workload.iterations * costs.seconds_per_iteration + stores * costs.seconds_to_store;
  }
  const StorageForm& tail = plan.of(plan.form_of_tail());
  return (workload.iterations - workload.tail_iterations) * costs.seconds_per_iteration +
         (workload.refreshes + kMore) * costs.seconds_to_store +
         workload.tail_iterations * tail.seconds_per_iteration +
         (workload.tail_iterations > 0 ? tail.seconds_to_store : 0);
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
    fail_on_all_ranks(world, ConfigError(concat("the costs of problem.cost_file need ", figures,
                                                "; use more ranks or hosts")));
  }
  const char* remedy = asked == Storage::streamed ? "use more hosts, fewer threads or ranks on each"
                       : plan.fits(Storage::streamed) ? "use \"auto\", \"streamed\" or more ranks"
                                                      : "use more hosts";
  fail_on_all_ranks(world, ConfigError(concat("solver.sinkhorn.storage = \"", name_of(asked),
                                              "\" needs ", figures, "; ", remedy)));
}

/// What a free choice goes on as, in a run that began with `begun`: automatic on a GPU, whose
/// choice changes no bits there.
Storage going_on(const StoragePlan& plan, Storage begun, Workload& workload, Log& log) {
  const bool began_on_device = begun == Storage::automatic;
  if (plan.is_on_device && began_on_device) return begun;
  if (!plan.is_on_device && !began_on_device && plan.fits(begun)) return begun;
  log.warn_once(
      concat("the run began with its costs ", began_on_device ? "on a GPU" : name_of(begun),
             " and goes on otherwise, for lack of memory or on another device; what follows "
             "may differ by rounding from a run that was not stopped"));
  workload.refreshes = 0;
  return Storage::automatic;
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

Storage StoragePlan::form_of_tail() const {
  return fits(Storage::absorbed) ? Storage::absorbed : Storage::streamed;
}

bool StoragePlan::fits(Storage which) const {
  if (is_strict) return of(which).stored_bytes <= budget;
  return 1.1 * of(which).bytes <= budget;
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

Storage choose_storage(const StoragePlan& plan, const Workload& workload) {
  Storage fastest = Storage::streamed;
  double seconds = seconds_of(plan, fastest, workload) / kWorthStoring;
  for (const Storage which : kKept) {
    if (is_absorbed(which) && workload.refreshes == 0) continue;
    if (which == Storage::absorbed16 && !workload.reads_codes) continue;
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
  return .85 * memory_of_rank(context.world);
}

std::string storage_lines(const std::vector<StoragePlan>& plans) {
  std::string lines;
  for (const StoragePlan& plan : plans) {
    lines += concat(lines.empty() ? "\nstorage " : "\nof a cloud against itself ",
                    plan.text("by a table of rates"));
  }
  return lines;
}

StoragePlan plan_storage(const SolveShape& shape, Storage asked, const Workload& workload,
                         Context& context) {
  return plan_storage(shape, asked, workload, memory_budget(context), context);
}

StoragePlan plan_storage(const SolveShape& shape, Storage asked, const Workload& given,
                         double budget, Context& context) {
  Workload workload = given;
  StoragePlan plan = estimate_storage(shape, instruction_set());
  plan.budget = budget;
  plan.is_strict = context.run.deterministic == "strict";
  if (asked == Storage::absorbed16 && shape.is_double) {
    fail_on_all_ranks(
        context.world,
        ConfigError("solver.sinkhorn.storage = \"absorbed16\" keeps its kernel in 16 bits, "
                    "which run.precision = \"float64\" cannot be made of; use \"absorbed\" or "
                    "\"float32\""));
  }
  plan.is_on_device = context.pair_reducer != nullptr;
  keep_largest(plan, context.world);
  if (asked == Storage::automatic && workload.begun_with) {
    asked = going_on(plan, *workload.begun_with, workload, context.log);
  }
  if (plan.has_matrix && !is_absorbed(asked)) asked = Storage::materialised;
  plan.form =
      asked == Storage::automatic && !plan.is_on_device ? choose_storage(plan, workload) : asked;
  const Storage held = plan.is_on_device && !plan.has_matrix ? Storage::streamed : plan.form;
  if (!plan.fits(held)) refuse(plan, held, context.world);
  return plan;
}

}  // namespace kantor
