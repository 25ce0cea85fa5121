#include "runtime/data/marginal.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <type_traits>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/data/coordinate_range.hpp"
#include "runtime/data/row_sources.hpp"

namespace kantor::data {
namespace {

constexpr std::int64_t kBlockValues = 1 << 15;  // doubles of scratch: stays in the cache

std::size_t as_size(std::int64_t value) { return static_cast<std::size_t>(value); }

/// Rows of D numbers that fit into the scratch block; at least one.
std::int64_t block_rows(std::int64_t d) { return std::max<std::int64_t>(1, kBlockValues / d); }

}  // namespace

Marginal::Marginal(std::string name, std::shared_ptr<const RowSource> source,
                   std::vector<std::int64_t> selection, double scale, std::vector<double> weights,
                   double holdout, std::uint64_t fingerprint)
    : name_(std::move(name)),
      source_(std::move(source)),
      selection_(std::move(selection)),
      scale_(scale),
      weights_(std::move(weights)),
      holdout_(holdout),
      fingerprint_(fingerprint) {
  KANTOR_CHECK(source_ != nullptr, "marginal ", name_, " without a source");
  for (const std::int64_t row : selection_) {
    KANTOR_CHECK(row >= 0 && row < source_->num_rows(), "selected row ", row, " of ",
                 source_->num_rows());
  }
  KANTOR_CHECK(weights_.empty() || weights_.size() == as_size(n()), weights_.size(),
               " weights for ", n(), " points");
}

const std::string& Marginal::name() const { return name_; }

std::int64_t Marginal::n() const {
  return selection_.empty() ? source_->num_rows() : static_cast<std::int64_t>(selection_.size());
}

std::int64_t Marginal::d() const { return source_->num_dims(); }

bool Marginal::is_weighted() const { return !weights_.empty(); }

double Marginal::weight(std::int64_t row) const {
  KANTOR_CHECK(row >= 0 && row < n(), "row ", row, " of ", n());
  return weights_.empty() ? 1.0 / static_cast<double>(n()) : weights_[as_size(row)];
}

std::vector<double> Marginal::weights() const {
  if (!weights_.empty()) return weights_;
  return std::vector<double>(as_size(n()), 1.0 / static_cast<double>(n()));
}

double Marginal::holdout() const { return holdout_; }

Marginal Marginal::on_unit_sphere() const {
  return {name_,    unit_rows(source_), selection_,  std::copysign(1.0, scale_),
          weights_, holdout_,           fingerprint_};
}

std::uint64_t Marginal::fingerprint() const { return fingerprint_; }

void Marginal::check_unchanged() const {
  const std::string reason = source_->changed();
  if (reason.empty()) return;
  throw DataError(concat(name_, " was changed while it was being read: ", reason,
                         "; no result is written, since it would be of no data that exist. Leave "
                         "files alone until the run has ended, and start again"));
}

std::int64_t Marginal::source_row(std::int64_t row) const {
  KANTOR_CHECK(row >= 0 && row < n(), "row ", row, " of ", n());
  return selection_.empty() ? row : selection_[as_size(row)];
}

template <class T>
void Marginal::read(std::span<const std::int64_t> rows, std::span<const double> shift,
                    T* values) const {
  KANTOR_CHECK(shift.empty() || shift.size() == as_size(d()), "a shift of ", shift.size(),
               " numbers for d = ", d());
  if (selection_.empty()) return source_->read(rows, scale_, shift, values);
  constexpr std::size_t kBlock = 512;
  std::array<std::int64_t, kBlock> source_rows;
  for (std::size_t first = 0; first < rows.size(); first += kBlock) {
    const std::size_t count = std::min(kBlock, rows.size() - first);
    for (std::size_t r = 0; r < count; ++r) source_rows[r] = source_row(rows[first + r]);
    source_->read(std::span(source_rows).first(count), scale_, shift,
                  values + static_cast<std::int64_t>(first) * d());
  }
}

template <class T>
void Marginal::read_range(std::int64_t first, std::int64_t count, std::span<const double> shift,
                          T* values) const {
  KANTOR_CHECK(first >= 0 && count >= 0 && first <= n() - count, "rows [", first, ", ",
               first + count, ") of ", n());
  const std::int64_t block = std::min(block_rows(d()), count);
  std::vector<std::int64_t> rows(as_size(block));
  for (std::int64_t start = 0; start < count; start += block) {
    const std::int64_t size = std::min(block, count - start);
    std::iota(rows.begin(), rows.end(), first + start);
    read(std::span<const std::int64_t>(rows).first(as_size(size)), shift, values + start * d());
  }
}

template void Marginal::read(std::span<const std::int64_t>, std::span<const double>, float*) const;
template void Marginal::read(std::span<const std::int64_t>, std::span<const double>, double*) const;
template void Marginal::read_range(std::int64_t, std::int64_t, std::span<const double>,
                                   float*) const;
template void Marginal::read_range(std::int64_t, std::int64_t, std::span<const double>,
                                   double*) const;

std::string find_nonfinite(const Marginal& marginal, std::int64_t first, std::int64_t last) {
  return find_beyond(marginal, first, last, std::numeric_limits<double>::max());
}

std::string find_beyond(const Marginal& marginal, std::int64_t first, std::int64_t last,
                        double largest) {
  KANTOR_CHECK(0 <= first && first <= last && last <= marginal.n(), "rows [", first, ", ", last,
               ") of ", marginal.n());
  const std::int64_t d = marginal.d();
  const std::int64_t block = std::min(block_rows(d), last - first);
  std::vector<double> values(as_size(block * d));
  for (std::int64_t start = first; start < last; start += block) {
    const std::int64_t count = std::min(block, last - start);
    marginal.read_range(start, count, {}, values.data());
    for (std::int64_t i = 0; i < count * d; ++i) {
      const double value = values[as_size(i)];
      if (std::abs(value) <= largest) continue;
      const std::int64_t row = start + i / d;
      const std::int64_t source_row = marginal.source_row(row);
      const std::string selected =
          row == source_row ? "" : concat(" (", row, " of those selected)");
      return concat(marginal.name(), ": the value in row ", source_row, selected, ", column ",
                    i % d, " is ",
                    std::isfinite(value) ? concat(value,
                                                  " (after scale), of which costs leave the "
                                                  "range of double; scale the points to ",
                                                  largest, " at most")
                    : std::isnan(value)  ? "NaN; remove or replace it"
                    : value > 0          ? "inf; remove or replace it"
                                         : "-inf; remove or replace it");
    }
  }
  return "";
}

std::string find_zero_row(const Marginal& marginal, std::int64_t first, std::int64_t last) {
  std::vector<double> point(as_size(marginal.d()));
  for (std::int64_t row = first; row < last; ++row) {
    marginal.read(std::span<const std::int64_t>(&row, 1), {}, point.data());
    if (to_unit_length(point)) continue;
    return concat(
        marginal.name(), ": row ", marginal.source_row(row),
        " holds zeros alone and has no direction, which cost \"cosine\" needs; remove it");
  }
  return "";
}

}  // namespace kantor::data
