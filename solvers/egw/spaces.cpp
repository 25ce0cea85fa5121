#include "solvers/egw/spaces.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/data/row_sources.hpp"
#include "runtime/random/permutation.hpp"

namespace kantor::egw {

namespace {

/// Seeded rows of positive weight, ascending.
std::vector<std::int64_t> chosen_rows(const data::Marginal& marginal, std::int64_t limit,
                                      std::int64_t seed, std::uint32_t k) {
  const random::Permutation order(static_cast<std::uint64_t>(marginal.n()),
                                  static_cast<std::uint64_t>(seed), random::Purpose::evaluation, k,
                                  0);
  std::vector<std::int64_t> rows;
  for (std::uint64_t i = 0; i < order.size() && std::ssize(rows) < limit; ++i) {
    const auto row = static_cast<std::int64_t>(order(i));
    if (marginal.weight(row) > 0) rows.push_back(row);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

Space restricted(const Space& space, const std::vector<std::int64_t>& rows) {
  const data::Marginal& all = space.cloud.marginal;
  std::vector<double> points(rows.size() * index(all.d()));
  all.read<double>(rows, {}, points.data());
  std::vector<double> weights;
  for (const std::int64_t row : rows) weights.push_back(all.weight(row));
  const double mass = std::accumulate(weights.begin(), weights.end(), 0.0);
  for (double& weight : weights) weight /= mass;
  const auto alone = make_self_communicator();
  data::Marginal chosen(all.name() + ", subsample",
                        data::memory_rows(std::move(points), std::ssize(rows), all.d()), {}, 1,
                        std::move(weights), 0, all.fingerprint());
  return space_of(cloud_of(std::move(chosen), *alone), *alone);
}

Side side_of(const Problem& problem, std::size_t k) {
  const auto& terms = std::get<EgwTerms>(problem.terms);
  Side side{.own = terms.spaces[k]};
  if (terms.alpha < 1) side.shared = terms.shared[k];
  return side;
}

/// x^T A y.
double product(std::span<const double> x, std::span<const double> alignment,
               std::span<const double> y) {
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < y.size(); ++j) sum += x[i] * alignment[i * y.size() + j] * y[j];
  }
  return sum;
}

/// A^T of [rows, columns], times a factor; A itself if not transposed.
std::vector<double> scaled(std::span<const double> a, std::size_t rows, std::size_t columns,
                           double factor, bool is_transposed) {
  std::vector<double> result(a.size());
  for (std::size_t i = 0; i < rows; ++i) {
    for (std::size_t j = 0; j < columns; ++j) {
      result[is_transposed ? j * rows + i : i * columns + j] = factor * a[i * columns + j];
    }
  }
  return result;
}

}  // namespace

double norm_of(std::span<const double> values) {
  return std::sqrt(std::inner_product(values.begin(), values.end(), values.begin(), 0.0));
}

Spaces::Spaces(const Problem& problem)
    : distortion_(distortion_named(problem.cost.name)),
      alpha_(std::get<EgwTerms>(problem.terms).alpha),
      sides_{side_of(problem, 0), side_of(problem, 1)} {}

Spaces::Spaces(const Spaces& like, Side x, Side y)
    : distortion_(like.distortion_), alpha_(like.alpha_), sides_{std::move(x), std::move(y)} {}

std::size_t Spaces::size_of_alignment() const { return index(d(0) * d(1)); }

std::vector<double> Spaces::second_moment(std::size_t k) const {
  return space(k).moments.second(distortion_.is_centred);
}

double Spaces::radius() const { return distortion_.radius(space(0).moments, space(1).moments); }

Spaces Spaces::self(std::size_t k) const { return {*this, sides_[k], sides_[k]}; }

Spaces Spaces::subsample(std::int64_t limit, std::int64_t seed) const {
  std::array<Side, 2> few = sides_;
  for (std::size_t k = 0; k < 2; ++k) {
    if (n(k) <= limit) continue;
    const auto rows =
        chosen_rows(space(k).cloud.marginal, limit, seed, static_cast<std::uint32_t>(k));
    few[k].own = restricted(sides_[k].own, rows);
    if (few[k].shared) few[k].shared = restricted(*sides_[k].shared, rows);
  }
  return {*this, std::move(few[0]), std::move(few[1])};
}

Lift Spaces::lift(std::size_t k, std::span<const double> alignment, std::size_t k_of_a) const {
  const bool has_a = k == k_of_a;
  const Side& side = sides_[k];
  Lift lift{.mean = side.own.moments.mean, .square = side.own.moments.square};
  if (has_alignment()) {
    if (distortion_.norms > 0) lift.norms = has_a ? alpha_ * distortion_.norms : 1;
    lift.columns = d(1 - k_of_a);
    if (has_a) lift.matrix = scaled(alignment, index(d(0)), index(d(1)), weight(), k == 1);
  }
  if (side.shared) {
    lift.features = has_a ? 2 * (1 - alpha_) : 1;
    lift.shared_mean = side.shared->moments.mean;
  }
  return lift;
}

Cloud Spaces::lifted_side(std::size_t k, Lift lift) const {
  const Side& side = sides_[k];
  return lifted_cloud(side.own.cloud, side.shared ? &side.shared->cloud : nullptr, std::move(lift));
}

Pair Spaces::lifted(std::span<const double> alignment, double epsilon, std::size_t k_of_a) const {
  return lifted_between(*this, *this, alignment, epsilon, k_of_a);
}

Pair Spaces::lifted_between(const Spaces& x, const Spaces& y, std::span<const double> alignment,
                            double epsilon, std::size_t k_of_a) const {
  Pair pair{.x = x.lifted_side(0, lift(0, alignment, k_of_a)),
            .y = y.lifted_side(1, lift(1, alignment, k_of_a)),
            .cost = ground_cost("dot", 2),
            .epsilon = epsilon};
  pair.centre.assign(index(pair.d()), 0.0);
  return pair;
}

Pair Spaces::points(const Spaces& of) const {
  const auto about_mean = [&](std::size_t k) {
    Lift lift{.mean = space(k).moments.mean, .columns = d(k)};
    if (is_fused()) {
      lift.features = 1;
      lift.shared_mean = sides_[k].shared->moments.mean;
    }
    return of.lifted_side(k, std::move(lift));
  };
  return {.x = about_mean(0), .y = about_mean(1), .cost = ground_cost("dot", 2)};
}

TermAlone Spaces::term_alone(std::size_t k, std::span<const double> alignment) const {
  const SpaceMoments& own = space(k).moments;
  const SpaceMoments& other = space(1 - k).moments;
  TermAlone term;
  term.constant = k == 0 ? constant_alone(alignment) : 0;
  if (has_alignment() && distortion_.is_centred) {
    term.square = -alpha_ * distortion_.norms * other.square;
    term.constant -= term.square * own.square;
  } else if (has_alignment()) {
    term.linear.assign(own.mean.size(), 0.0);  // -weight A m, or A^T m
    const std::size_t columns = index(d(1));
    for (std::size_t i = 0; i < index(d(0)); ++i) {
      for (std::size_t j = 0; j < columns; ++j) {
        term.linear[k == 0 ? i : j] -=
            weight() * alignment[i * columns + j] * other.mean[k == 0 ? j : i];
      }
    }
  }
  if (!is_fused()) return term;
  term.shared_square = 1 - alpha_;
  for (std::size_t i = 0; i < sides_[k].shared->moments.mean.size(); ++i) {
    term.shared_linear.push_back(
        2 * (1 - alpha_) *
        (sides_[k].shared->moments.mean[i] - sides_[1 - k].shared->moments.mean[i]));
  }
  return term;
}

double TermAlone::at(std::span<const double> point, std::span<const double> shared) const {
  double value = constant;
  for (const double each : point) value += square * each * each;
  for (std::size_t i = 0; i < linear.size(); ++i) value += linear[i] * point[i];
  for (std::size_t i = 0; i < shared.size(); ++i) {
    value += (shared_square * shared[i] + shared_linear[i]) * shared[i];
  }
  return value;
}

double Spaces::constant_alone(std::span<const double> alignment) const {
  const SpaceMoments& x = space(0).moments;
  const SpaceMoments& y = space(1).moments;
  double constant = -alpha_ * distortion_.norms * x.square * y.square;
  if (has_alignment() && !distortion_.is_centred) {
    constant -= weight() * product(x.mean, alignment, y.mean);
  }
  for (std::size_t i = 0; is_fused() && i < sides_[0].shared->moments.mean.size(); ++i) {
    const double delta = sides_[0].shared->moments.mean[i] - sides_[1].shared->moments.mean[i];
    constant += (1 - alpha_) * delta * delta;
  }
  return constant;
}

std::vector<double> Spaces::terms_alone(std::size_t k, std::int64_t first, std::int64_t count,
                                        std::span<const double> alignment) const {
  const Side& side = sides_[k];
  std::vector<double> point(index(d(k)));
  std::vector<double> shared(side.shared ? side.shared->moments.mean.size() : 0);
  const TermAlone term = term_alone(k, alignment);
  std::vector<double> terms;
  for (std::int64_t i = first; i < first + count; ++i) {
    side.own.cloud.marginal.read_range<double>(i, 1, side.own.moments.mean, point.data());
    if (side.shared) {
      side.shared->cloud.marginal.read_range<double>(i, 1, side.shared->moments.mean,
                                                     shared.data());
    }
    terms.push_back(term.at(point, shared));
  }
  return terms;
}

double Spaces::value(std::span<const double> alignment, double lifted_value) const {
  const double norm = norm_of(alignment);
  double value = lifted_value + weight() * norm * norm + constant_alone(alignment) +
                 alpha_ * distortion_.constant(space(0).moments, space(1).moments);
  for (const Side& side : sides_) {
    if (side.shared) value += (1 - alpha_) * side.shared->moments.square;
  }
  return value;
}

std::vector<double> Spaces::uncentred(std::vector<double> moment) const {
  if (distortion_.is_centred) return moment;
  const std::vector<double>& x = space(0).moments.mean;
  const std::vector<double>& y = space(1).moments.mean;
  for (std::size_t i = 0; i < x.size(); ++i) {
    for (std::size_t j = 0; j < y.size(); ++j) moment[i * y.size() + j] += x[i] * y[j];
  }
  return moment;
}

}  // namespace kantor::egw
