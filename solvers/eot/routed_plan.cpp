#include "solvers/eot/routed_plan.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/core/text.hpp"
#include "solvers/eot/max_flow.hpp"

namespace kantor {

namespace {

constexpr std::int64_t kFirstPairs = 8;  // of each row; as many again and again, doubled
constexpr std::int64_t kMostPairs = std::int64_t{1} << 22;
constexpr int kMostRounds = 64;

/// The rows of this rank.
class Rows {
 public:
  Rows(const ShardedPairs<double>& problem, std::span<const kernels::AddedPlan<double>> plans)
      : problem_(problem),
        plans_(plans),
        costs_(index(problem.m())),
        masses_(costs_.size()),
        powers_(costs_.size()) {}

  /// [M] of row i of this rank, until the next call.
  std::span<const double> costs(std::size_t i) {
    plans_.front().reduction.cost.costs(static_cast<std::int64_t>(i), 1, costs_.data());
    return costs_;
  }
  /// [M] of row i, whose costs were asked for last.
  std::span<double> masses(std::size_t i) {
    std::fill(masses_.begin(), masses_.end(), 0.0);
    for (const kernels::AddedPlan<double>& plan : plans_) add(plan, i);
    return masses_;
  }
  bool may_carry(std::size_t i, std::size_t j) const {
    return std::isfinite(costs_[j]) && problem_.a()[i] > 0 && problem_.b()[j] > 0;
  }

 private:
  void add(const kernels::AddedPlan<double>& plan, std::size_t i) {
    const kernels::Reduction<double>& own = plan.reduction;
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t j = 0; j < costs_.size(); ++j) {
      powers_[j] = own.log_b[j] + (own.g[j] - costs_[j]) / own.epsilon;
      largest = std::max(largest, powers_[j]);
    }
    if (!(plan.row_masses[i] > 0) || std::isinf(largest)) return;
    double sum = 0;
    for (double& power : powers_) sum += power = std::exp(power - largest);
    const double factor = plan.row_masses[i] / sum;
    for (std::size_t j = 0; j < costs_.size(); ++j) {
      masses_[j] += factor * powers_[j] * plan.column_scale[j];
    }
  }

  const ShardedPairs<double>& problem_;
  std::span<const kernels::AddedPlan<double>> plans_;
  std::vector<double> costs_, masses_, powers_;  // [M]
};

class Routing {
 public:
  Routing(const ShardedPairs<double>& problem, std::span<const kernels::AddedPlan<double>> plans,
          const Missing& missing, Context& context)
      : problem_(problem),
        context_(context),
        all_a_(problem.gather_x(problem.a())),
        dust_(kMissingByRounding / 4 /
              (static_cast<double>(problem.n()) * static_cast<double>(problem.m()))),
        flow_(problem.gather_x(missing.rows), missing.columns, dust_),
        rows_(problem, plans),
        is_told_(problem.a().size() * index(problem.m())) {}

  bool run() {
    std::int64_t most = kFirstPairs;
    tell(most, false);
    for (int round = 0; round < kMostRounds; ++round) {
      if (!flow_.augment()) return false;
      if (flow_.left() <= kMissingByRounding) return true;
      if (!tell(most, true)) fail();
      // Those alone would reach one step further a round; where there is room, so do the rest.
      if (problem_.n() * most < kMostPairs) tell(most, false);
      if (std::ssize(flow_.pairs()) > kMostPairs) return false;
      most = std::min(2 * most, problem_.m());
    }
    return false;
  }

  RoutedTotals totals() {
    std::vector<std::vector<const CarriedMass*>> of_rows(problem_.a().size());
    for (const CarriedMass& pair : flow_.pairs()) {
      const std::int64_t i = pair.row - problem_.rows().first;
      if (i >= 0 && i < problem_.rows().count()) of_rows[index(i)].push_back(&pair);
    }
    std::vector<double> sums(2);  // cost, KL
    for (std::size_t i = 0; i < of_rows.size(); ++i) {
      const std::span<const double> costs = rows_.costs(i);
      const std::span<double> masses = rows_.masses(i);
      for (const CarriedMass* pair : of_rows[i]) masses[index(pair->column)] = pair->mass;
      for (std::size_t j = 0; j < masses.size(); ++j) {
        if (!(masses[j] > 0)) continue;
        sums[0] += masses[j] * costs[j];
        sums[1] += masses[j] * std::log(masses[j] / problem_.a()[i] / problem_.b()[j]);
      }
    }
    context_.world.all_reduce<double>(sums, ReduceOp::sum, "routed plan");
    return {true, sums[0], sums[1]};
  }

 private:
  /// The best pairs of each row, as far as the flow does not know them. @param out_of_cut those
  /// alone that lead out of the minimum cut. @return whether there were any, on any rank.
  bool tell(std::int64_t most, bool out_of_cut) {
    std::vector<CarriedMass> told;
    for (std::size_t i = 0; i < problem_.a().size(); ++i) tell_row(i, most, out_of_cut, told);
    std::vector<std::int64_t> counts(index(context_.world.size()));
    const std::int64_t count = std::ssize(told);
    context_.world.all_gather<std::int64_t>(std::span(&count, 1), counts, "numbers of pairs");
    const std::size_t largest = index(std::ranges::max(counts));
    told.resize(largest);
    std::vector<CarriedMass> all(largest * counts.size());
    context_.world.all_gather<std::byte>(std::as_bytes(std::span(std::as_const(told))),
                                         std::as_writable_bytes(std::span(all)), "pairs");
    for (std::size_t rank = 0; rank < counts.size(); ++rank) {
      for (std::size_t k = 0; k < index(counts[rank]); ++k) flow_.add(all[rank * largest + k]);
    }
    return largest > 0;
  }

  void tell_row(std::size_t i, std::int64_t most, bool out_of_cut, std::vector<CarriedMass>& told) {
    const std::int64_t row = problem_.rows().first + static_cast<std::int64_t>(i);
    const std::span<const double> costs = rows_.costs(i);
    const std::span<const double> masses = rows_.masses(i);
    const bool is_reached = out_of_cut && flow_.is_row_reached(row);
    std::vector<std::size_t> columns;
    for (std::size_t j = 0; j < masses.size(); ++j) {
      const bool leads_out =
          !out_of_cut || (flow_.is_column_reached(static_cast<std::int64_t>(j)) != is_reached &&
                          (is_reached || masses[j] > dust_));
      if (leads_out && rows_.may_carry(i, j) && !is_told_[i * masses.size() + j]) {
        columns.push_back(j);
      }
    }
    const auto end = columns.begin() + std::min<std::ptrdiff_t>(most, std::ssize(columns));
    std::partial_sort(columns.begin(), end, columns.end(), [&](std::size_t j, std::size_t k) {
      return masses[j] != masses[k] ? masses[j] > masses[k] : costs[j] < costs[k];
    });
    for (auto j = columns.begin(); j != end; ++j) {
      is_told_[i * masses.size() + *j] = true;
      told.push_back({row, static_cast<std::int64_t>(*j), masses[*j]});
    }
  }

  /// The cut proves that rows may go to columns that hold less.
  [[noreturn]] void fail() const {
    const auto named = [](const char* side, std::int64_t count, auto is_reached, auto weight) {
      constexpr int kMostNamed = 5;
      std::string numbers;
      double sum = 0;
      int num_named = 0;
      for (std::int64_t i = 0; i < count; ++i) {
        if (!is_reached(i)) continue;
        sum += weight[index(i)];
        if (++num_named <= kMostNamed) numbers += concat(num_named == 1 ? "" : ", ", i);
      }
      if (num_named > kMostNamed) numbers += concat(" and ", num_named - kMostNamed, " more");
      return concat(side, " {", numbers, "} of weight ", sum);
    };
    const std::string rows = named(
        "the rows", problem_.n(), [&](auto i) { return flow_.is_row_reached(i); }, all_a_);
    const std::string columns = named(
        "the columns", problem_.m(), [&](auto j) { return flow_.is_column_reached(j); },
        problem_.b());
    fail_on_all_ranks(
        context_.world,
        DataError(concat("problem.cost_file: no plan avoids the forbidden pairs (inf): ", rows,
                         " are allowed ", columns, " alone; allow more pairs, or change weights")));
  }

  const ShardedPairs<double>& problem_;
  Context& context_;
  std::vector<double> all_a_;  // [N]
  double dust_;
  MaxFlow flow_;
  Rows rows_;
  std::vector<bool> is_told_;  // [N_r, M]
};

}  // namespace

RoutedTotals routed_totals(const ShardedPairs<double>& problem,
                           std::span<const kernels::AddedPlan<double>> plans,
                           const Missing& missing, Context& context) {
  Routing routing(problem, plans, missing, context);
  return routing.run() ? routing.totals() : RoutedTotals{};
}

}  // namespace kantor
