#include "solvers/eot/storage/report.hpp"

#include <algorithm>
#include <vector>

namespace kantor {

StorageReport storage_report(std::span<const StoragePlan> plans, double seconds_per_iteration,
                             double store_s, std::int64_t refreshes, Context& context) {
  const StoragePlan& plan = plans.front();
  std::vector<double> slowest = {seconds_per_iteration, store_s};
  context.world.all_reduce<double>(slowest, ReduceOp::max, "seconds of the storage");
  StorageReport report;
  report.form = name_of(plan.form);
  for (const StoragePlan& each : plans) {
    report.bytes_per_rank =
        std::max(report.bytes_per_rank, static_cast<std::int64_t>(each.chosen().bytes));
  }
  if (!plan.is_on_device) {
    report.predicted_seconds_per_iteration = plan.chosen().seconds_per_iteration;
    report.predicted_seconds_to_store = plan.chosen().seconds_to_store;
  }
  if (slowest[0] > 0) report.seconds_per_iteration = slowest[0];
  if (plan.form != Storage::streamed) report.seconds_to_store = slowest[1];
  report.refreshes = refreshes;
  return report;
}

}  // namespace kantor
