#include "solvers/egw/lift.hpp"

#include <memory>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"

namespace kantor::egw {

namespace {

class LiftedRows final : public data::RowSource {
 public:
  LiftedRows(data::Marginal points, std::optional<data::Marginal> shared, Lift lift)
      : points_(std::move(points)), shared_(std::move(shared)), lift_(std::move(lift)) {}

  std::int64_t num_rows() const override { return points_.n(); }
  std::int64_t num_dims() const override { return lift_.num_dims(); }
  void read(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
            double* values) const override {
    gather(rows, scale, shift, values);
  }
  void read(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
            float* values) const override {
    gather(rows, scale, shift, values);
  }

 private:
  /// One row after the other, so that its bits do not hang on which rows are asked for with it.
  template <class Out>
  void gather(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
              Out* values) const {
    std::vector<double> point(lift_.mean.size());
    std::vector<double> features(lift_.shared_mean.size());
    std::vector<double> lifted(index(lift_.num_dims()));
    for (std::size_t i = 0; i < rows.size(); ++i) {
      points_.read<double>(rows.subspan(i, 1), lift_.mean, point.data());
      if (shared_) shared_->read<double>(rows.subspan(i, 1), lift_.shared_mean, features.data());
      lift_.apply(point, features, lifted.data());
      for (std::size_t k = 0; k < lifted.size(); ++k) {
        *values++ = static_cast<Out>(scale * lifted[k] - (shift.empty() ? 0 : shift[k]));
      }
    }
  }

  data::Marginal points_;
  std::optional<data::Marginal> shared_;
  Lift lift_;
};

}  // namespace

std::int64_t Lift::num_dims() const {
  return (norms != 0 ? 1 : 0) + columns + std::ssize(shared_mean);
}

void Lift::apply(std::span<const double> point, std::span<const double> shared,
                 double* lifted) const {
  if (norms != 0) {
    double sum = 0;
    for (const double value : point) sum += value * value;
    *lifted++ = norms * (sum - square);
  }
  const std::size_t width = index(columns);
  if (matrix.empty()) {
    for (std::size_t k = 0; k < width; ++k) lifted[k] = point[k];
  } else {
    for (std::size_t k = 0; k < width; ++k) lifted[k] = 0;
    for (std::size_t i = 0; i < point.size(); ++i) {
      for (std::size_t k = 0; k < width; ++k) lifted[k] += matrix[i * width + k] * point[i];
    }
  }
  lifted += width;
  for (const double value : shared) *lifted++ = features * value;
}

Cloud lifted_cloud(const Cloud& points, const Cloud* shared, Lift lift) {
  const data::Marginal& given = points.marginal;
  std::vector<double> mean(index(lift.num_dims()), 0.0);
  std::optional<data::Marginal> features;
  if (shared != nullptr) features = shared->marginal;
  data::Marginal lifted(given.name() + ", lifted",
                        std::make_shared<LiftedRows>(given, std::move(features), std::move(lift)),
                        {}, 1, given.is_weighted() ? given.weights() : std::vector<double>(),
                        given.holdout(), given.fingerprint());
  return {std::move(lifted), std::move(mean)};
}

}  // namespace kantor::egw
