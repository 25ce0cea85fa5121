#include "runtime/random/sampler.hpp"

#include <algorithm>
#include <numeric>

#include "runtime/core/error.hpp"

namespace kantor::random {

Sampler::Sampler(std::int64_t n, std::int64_t num_heldout, std::uint64_t seed,
                 std::uint32_t marginal)
    : num_drawn_(n - num_heldout),
      seed_(seed),
      marginal_(marginal),
      roles_(static_cast<std::uint64_t>(n), seed, Purpose::holdout, marginal, 0),
      has_heldout_(num_heldout > 0) {
  KANTOR_CHECK(num_heldout >= 0 && num_drawn_ > 0, n, " rows with ", num_heldout, " held out");
}

const Permutation& Sampler::order_of(std::int64_t epoch) {
  if (epoch != epoch_) {
    order_.emplace(static_cast<std::uint64_t>(num_drawn_), seed_, Purpose::sampling, marginal_,
                   static_cast<std::uint64_t>(epoch));
    epoch_ = epoch;
  }
  return *order_;
}

std::int64_t Sampler::row(std::int64_t draw) {
  std::int64_t row = 0;
  rows(draw, std::span(&row, 1));
  return row;
}

void Sampler::rows(std::int64_t first, std::span<std::int64_t> rows) {
  while (!rows.empty()) {  // pass by pass
    const std::int64_t place = first % num_drawn_;
    const std::int64_t count = std::min(std::ssize(rows), num_drawn_ - place);
    const auto part = rows.first(static_cast<std::size_t>(count));
    std::iota(part.begin(), part.end(), place);
    order_of(first / num_drawn_).apply(part);
    if (has_heldout_) roles_.apply(part);
    rows = rows.subspan(part.size());
    first += count;
  }
}

std::vector<std::int64_t> Sampler::heldout_rows() const {
  std::vector<std::int64_t> rows;
  for (auto place = static_cast<std::uint64_t>(num_drawn_); place < roles_.size(); ++place) {
    rows.push_back(static_cast<std::int64_t>(roles_(place)));
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

}  // namespace kantor::random
