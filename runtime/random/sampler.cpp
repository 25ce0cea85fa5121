#include "runtime/random/sampler.hpp"

#include <algorithm>

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

std::int64_t Sampler::row(std::int64_t draw) {
  const std::int64_t epoch = draw / num_drawn_;
  if (epoch != epoch_) {
    order_.emplace(static_cast<std::uint64_t>(num_drawn_), seed_, Purpose::sampling, marginal_,
                   static_cast<std::uint64_t>(epoch));
    epoch_ = epoch;
  }
  const std::uint64_t place = (*order_)(static_cast<std::uint64_t>(draw % num_drawn_));
  return static_cast<std::int64_t>(has_heldout_ ? roles_(place) : place);
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
