#include "runtime/data/moments.hpp"

#include <algorithm>

#include "runtime/core/error.hpp"
#include "runtime/data/gram.hpp"

namespace kantor::data {
namespace {

// Sums are taken per block, then over blocks: the rounding error grows with their number, not with
// n.
constexpr std::int64_t kBlockRows = 512;

std::size_t as_size(std::int64_t value) { return static_cast<std::size_t>(value); }

void check_range(const Marginal& marginal, std::int64_t first, std::int64_t last) {
  KANTOR_CHECK(0 <= first && first <= last && last <= marginal.n(), "rows [", first, ", ", last,
               ") of ", marginal.n());
}

void add(const std::vector<double>& part, std::vector<double>& total) {
  for (std::size_t k = 0; k < total.size(); ++k) total[k] += part[k];
}

/// Calls work(rows [count, D] minus shift, weights [count], count) for each block of [first, last).
template <class Work>
void for_each_block(const Marginal& marginal, std::int64_t first, std::int64_t last,
                    std::span<const double> shift, const Work& work) {
  const std::int64_t block_rows = std::min(kBlockRows, last - first);
  std::vector<double> rows(as_size(block_rows * marginal.d()));
  std::vector<double> weights(as_size(block_rows));
  for (std::int64_t start = first; start < last; start += kBlockRows) {
    const std::int64_t count = std::min(kBlockRows, last - start);
    marginal.read_range(start, count, shift, rows.data());
    for (std::int64_t r = 0; r < count; ++r) weights[as_size(r)] = marginal.weight(start + r);
    work(rows, weights, count);
  }
}

/// Adds one block's sums. @param rows [count, D] about the mean.
void add_block(const std::vector<double>& rows, const std::vector<double>& weights,
               std::int64_t count, std::int64_t d, CentralSums& sums) {
  CentralSums part;
  part.third.assign(as_size(d), 0.0);
  part.variances.assign(as_size(d), 0.0);
  for (std::int64_t r = 0; r < count; ++r) {
    const double* row = rows.data() + r * d;
    const double weight = weights[as_size(r)];
    double square = 0;
    for (std::int64_t k = 0; k < d; ++k) square += row[k] * row[k];
    part.square += weight * square;
    part.fourth += weight * square * square;
    for (std::int64_t k = 0; k < d; ++k) {
      part.third[as_size(k)] += weight * square * row[k];
      part.variances[as_size(k)] += weight * row[k] * row[k];
    }
  }
  sums.square += part.square;
  sums.fourth += part.fourth;
  add(part.third, sums.third);
  add(part.variances, sums.variances);
}

}  // namespace

std::vector<double> partial_mean(const Marginal& marginal, std::int64_t first, std::int64_t last) {
  check_range(marginal, first, last);
  const std::int64_t d = marginal.d();
  std::vector<double> mean(as_size(d), 0.0);
  for_each_block(marginal, first, last, {}, [&](const auto& rows, const auto& weights, auto count) {
    std::vector<double> part(as_size(d), 0.0);
    for (std::int64_t r = 0; r < count; ++r) {
      for (std::int64_t k = 0; k < d; ++k) {
        part[as_size(k)] += weights[as_size(r)] * rows[as_size(r * d + k)];
      }
    }
    add(part, mean);
  });
  return mean;
}

CentralSums partial_central_sums(const Marginal& marginal, std::int64_t first, std::int64_t last,
                                 std::span<const double> mean, bool with_covariance) {
  check_range(marginal, first, last);
  const std::int64_t d = marginal.d();
  KANTOR_CHECK(mean.size() == as_size(d), "a mean of ", mean.size(), " numbers for d = ", d);
  CentralSums sums;
  sums.third.assign(as_size(d), 0.0);
  sums.variances.assign(as_size(d), 0.0);
  if (with_covariance) sums.covariance.assign(as_size(d * d), 0.0);
  for_each_block(marginal, first, last, mean,
                 [&](const auto& rows, const auto& weights, auto count) {
                   add_block(rows, weights, count, d, sums);
                   if (!with_covariance) return;
                   add_gram(std::span(rows).first(as_size(count * d)), count, d,
                            std::span(weights).first(as_size(count)), sums.covariance);
                 });
  return sums;
}

}  // namespace kantor::data
