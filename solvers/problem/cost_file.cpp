#include "solvers/problem/cost_file.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

#include "distributed/collectively.hpp"
#include "distributed/shards.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/data_file.hpp"
#include "runtime/data/fingerprint.hpp"
#include "runtime/data/npy.hpp"

namespace kantor {

namespace {

constexpr const char* kAllForbidden =
    " is inf wherever there is weight; allow it a pair, or remove it";

/// A row or column of infinite costs alone stays as it is.
double finite_or_0(double part) { return std::isfinite(part) ? part : 0; }

}  // namespace

std::vector<data::Marginal> load_cost_file(const ProblemConfig& config, GroundCost& cost) {
  const auto file = std::make_shared<const data::DataFile>(config.cost_file);
  const std::vector<std::int64_t> dims = data::read_npy_header(*file).shape;
  if (dims.size() != 2) {
    throw DataError(concat(config.cost_file, ": problem.cost_file has ", dims.size(),
                           " dimensions; expected a matrix [n, m]"));
  }
  cost.file = data::open_npy(file);
  data::Fingerprint content;
  content.add_content(file->bytes());
  const std::int64_t shape[] = {cost.file->num_rows(), cost.file->num_dims()};
  const char* const side[] = {"rows", "columns"};
  std::vector<data::Marginal> marginals;
  for (std::size_t k = 0; k < 2; ++k) {
    const data::MarginalConfig marginal =
        config.marginals.empty() ? data::MarginalConfig{} : config.marginals[k];
    marginals.push_back(data::load_weights_alone(
        marginal, shape[k], concat(side[k], " of ", config.cost_file), content.value()));
  }
  return marginals;
}

double cost_at(const data::RowSource& file, std::int64_t row, std::int64_t column) {
  std::vector<double> costs(static_cast<std::size_t>(file.num_dims()));
  file.read({&row, 1}, costs.data());
  return costs[static_cast<std::size_t>(column)];
}

template <class T>
kernels::SplitCosts<T> split_costs(const data::RowSource& file, std::span<const std::int64_t> rows,
                                   std::span<const std::int64_t> columns, Communicator& world) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  std::vector<double> all(static_cast<std::size_t>(file.num_dims()));
  std::vector<double> row(columns.size());
  const auto read_row = [&](std::size_t i) {
    file.read(rows.subspan(i, 1), all.data());
    for (std::size_t j = 0; j < row.size(); ++j) row[j] = all[static_cast<std::size_t>(columns[j])];
  };
  kernels::SplitCosts<T> split;
  std::vector<double> least_below(columns.size(), -kInfinity);  // their negatives
  for (std::size_t i = 0; i < rows.size(); ++i) {
    read_row(i);
    const double part = finite_or_0(std::ranges::min(row));
    split.row_parts.push_back(part);
    for (std::size_t j = 0; j < row.size(); ++j) {
      least_below[j] = std::max(least_below[j], part - row[j]);
    }
  }
  world.all_reduce<double>(least_below, ReduceOp::max, "least costs of the columns");
  for (const double below : least_below) split.column_parts.push_back(finite_or_0(-below));

  split.rest.reserve(rows.size() * columns.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    read_row(i);
    for (std::size_t j = 0; j < row.size(); ++j) {
      split.rest.push_back(static_cast<T>(row[j] - split.row_parts[i] - split.column_parts[j]));
    }
  }
  return split;
}

template kernels::SplitCosts<float> split_costs(const data::RowSource&,
                                                std::span<const std::int64_t>,
                                                std::span<const std::int64_t>, Communicator&);
template kernels::SplitCosts<double> split_costs(const data::RowSource&,
                                                 std::span<const std::int64_t>,
                                                 std::span<const std::int64_t>, Communicator&);

bool check_costs(const data::RowSource& file, const data::Marginal& x, const data::Marginal& y,
                 const std::string& name, Communicator& world) {
  const Shard share = shard_of(x.n(), world.rank(), world.size());
  const std::vector<double> b = y.weights();
  std::vector<double> row(b.size());
  std::vector<double> found(b.size() + 1, 0.0);  // columns with an allowed row; forbidden pairs
  collectively(world, "checking the costs", [&] {
    for (std::int64_t i = share.first; i < share.last; ++i) {
      file.read(std::span<const std::int64_t>(&i, 1), row.data());
      const bool has_weight = x.weight(i) > 0;
      bool is_allowed = false;
      for (std::size_t j = 0; j < row.size(); ++j) {
        if (std::isnan(row[j]) || row[j] == -std::numeric_limits<double>::infinity()) {
          throw DataError(concat(name, ": the cost in row ", i, ", column ", j, " is ",
                                 std::isnan(row[j]) ? "NaN" : "-inf",
                                 "; expected a number, or inf for a pair that is forbidden"));
        }
        const bool is_finite = std::isfinite(row[j]);
        if (!is_finite) found.back() = 1;
        if (is_finite && has_weight) found[j] = 1;
        is_allowed = is_allowed || (is_finite && b[j] > 0);
      }
      if (!is_allowed) throw DataError(concat(name, ": row ", i, kAllForbidden));
    }
  });
  world.all_reduce<double>(found, ReduceOp::max, "allowed pairs");
  for (std::size_t j = 0; j < row.size(); ++j) {
    if (found[j] == 0)
      fail_on_all_ranks(world, DataError(concat(name, ": column ", j, kAllForbidden)));
  }
  return found.back() > 0;
}

}  // namespace kantor
