#include "solvers/eot/storage/report.hpp"

#include <algorithm>
#include <vector>

namespace kantor {

Record storage_report(std::span<const StoragePlan> plans, double seconds_per_iteration,
                      double store_s, std::int64_t refreshes, Context& context) {
  const StoragePlan& plan = plans.front();
  std::vector<double> slowest = {seconds_per_iteration, store_s};
  context.world.all_reduce<double>(slowest, ReduceOp::max, "seconds of the storage");
  std::int64_t bytes = 0;
  for (const StoragePlan& each : plans) {
    bytes = std::max(bytes, static_cast<std::int64_t>(each.chosen().bytes));
  }
  Record report;
  report.set("form", name_of(plan.form));
  report.set("bytes_per_rank", bytes);
  if (!plan.is_on_device) {
    report.set("predicted_seconds_per_iteration", plan.chosen().seconds_per_iteration,
               "absent on a GPU");
  }
  if (slowest[0] > 0) report.set("seconds_per_iteration", slowest[0], "the mean");
  if (plan.form == Storage::streamed) return report;
  if (!plan.is_on_device) {
    report.set("predicted_seconds_to_store", plan.chosen().seconds_to_store,
               "once; absorbed: at each refresh");
  }
  report.set("seconds_to_store", slowest[1], "in all");
  const bool is_absorbed = plan.form == Storage::absorbed || plan.form == Storage::absorbed16;
  if (is_absorbed) report.set("refreshes", refreshes);
  return report;
}

}  // namespace kantor
