#include "solvers/eot/missing_mass.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace kantor {

namespace {

constexpr int kMostPlans = 8;
constexpr int kUpdates = 3;          // of each
constexpr double kGrowth = 16;       // of epsilon, from one to the next
constexpr double kRounding = 4e-16;  // of a mass of 1: nothing is missing

/// What rows lose of their mass to the cut of columns; all of it where none is left for them.
/// @param rows [N_r] their masses.
std::vector<double> lost_rows(const ShardedPairs<double>& problem,
                              std::span<const double> log_columns, std::span<const double> g,
                              double epsilon, std::span<const double> rows,
                              std::span<const double> scale, ThreadPool& pool) {
  std::vector<double> lost(rows.size());
  std::vector<double> rest(scale.size());  // 1 - scale
  for (std::size_t j = 0; j < rest.size(); ++j) rest[j] = 1 - scale[j];
  std::vector<double> f(rows.size());
  problem.for_each_part([&](const RowPart& part, const kernels::CostMatrix<double>& cost) {
    kernels::soft_min_averages<double>({cost, log_columns, g, epsilon}, rest, 1, pool,
                                       part.of(std::span(f)), part.of(std::span(lost)));
  });
  for (std::size_t i = 0; i < rows.size(); ++i)
    lost[i] = rows[i] * (std::isinf(f[i]) ? 1 : lost[i]);
  return lost;
}

}  // namespace

CutColumns::CutColumns(std::span<const double> allowed, std::span<const double> columns)
    : scale(columns.size()), missing(columns.size()) {
  for (std::size_t j = 0; j < columns.size(); ++j) {
    scale[j] = columns[j] > allowed[j] ? allowed[j] / columns[j] : 1;
    missing[j] = std::max(allowed[j] - scale[j] * columns[j], 0.0);
  }
  mass = std::accumulate(missing.begin(), missing.end(), 0.0);
}

MakeUp::MakeUp(const ShardedPairs<double>& problem, std::span<const double> g,
               const CutColumns& cut, Context& context)
    : problem_(problem),
      context_(context),
      left_{lost_rows(problem, problem.over_y(g).log_b, g, problem.epsilon(), problem.a(),
                      cut.scale, context.pool),
            cut.missing, cut.mass} {
  double epsilon = problem.epsilon();
  for (int k = 0; k < kMostPlans && left_.mass > kRounding; ++k) {
    add(k == 0 ? g : std::span<const double>(parts_.back().g), epsilon);
    epsilon *= kGrowth;
  }
}

/// Column sums of the plan with exact rows.
std::vector<double> MakeUp::columns_of(const Part& part) const {
  std::vector<double> columns(part.g.size(), 0.0);
  std::vector<double> sums(part.g.size());
  std::vector<double> f(part.rows.size());
  problem_.for_each_part([&](const RowPart& taken, const kernels::CostMatrix<double>& cost) {
    kernels::soft_min_weights<double>({cost, part.log_columns, part.g, part.epsilon},
                                      taken.of(std::span(part.rows)), context_.pool,
                                      taken.of(std::span(f)), sums);
    for (std::size_t j = 0; j < sums.size(); ++j) columns[j] += sums[j];
  });
  context_.world.all_reduce<double>(columns, ReduceOp::sum, "columns of missing mass");
  return columns;
}

/// Sinkhorn between what is missing, from g.
void MakeUp::add(std::span<const double> g, double epsilon) {
  Part& part = parts_.emplace_back();
  part.g.assign(g.begin(), g.end());
  part.epsilon = epsilon;
  part.rows = left_.rows;
  for (const double mass : left_.columns) part.log_columns.push_back(std::log(mass / left_.mass));
  std::vector<double> columns = columns_of(part);
  for (int k = 0; k < kUpdates; ++k) {
    for (std::size_t j = 0; j < columns.size(); ++j) {
      const double step = epsilon * std::log(left_.columns[j] / columns[j]);
      if (left_.columns[j] > 0 && std::isfinite(step)) part.g[j] += step;
    }
    columns = columns_of(part);
  }
  CutColumns cut(left_.columns, columns);
  part.scale = std::move(cut.scale);
  left_ = {
      lost_rows(problem_, part.log_columns, part.g, epsilon, part.rows, part.scale, context_.pool),
      std::move(cut.missing), cut.mass};
}

std::vector<kernels::AddedPlan<double>> MakeUp::plans() const {
  std::vector<kernels::AddedPlan<double>> plans;
  for (const Part& part : parts_) {
    plans.push_back({{problem_.over_y(part.g).cost, part.log_columns, part.g, part.epsilon},
                     part.rows,
                     part.scale});
  }
  return plans;
}

}  // namespace kantor
