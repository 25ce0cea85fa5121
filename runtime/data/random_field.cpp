#include "runtime/data/random_field.hpp"

#include <cmath>
#include <numbers>

#include "runtime/kernels/blas.hpp"

namespace kantor::data {
namespace {

std::size_t as_size(std::int64_t value) { return static_cast<std::size_t>(value); }

/// The orthonormal cosine basis. @return [side, side], a row for each frequency.
std::vector<double> cosine_basis(std::int64_t side) {
  std::vector<double> basis(as_size(side * side));
  const auto length = static_cast<double>(side);
  for (std::int64_t u = 0; u < side; ++u) {
    const double scale = std::sqrt((u == 0 ? 1 : 2) / length);
    for (std::int64_t x = 0; x < side; ++x) {
      const double place = static_cast<double>(x) + 0.5;
      basis[as_size(u * side + x)] =
          scale * std::cos(std::numbers::pi * static_cast<double>(u) * place / length);
    }
  }
  return basis;
}

std::int64_t side_of(std::int64_t d) { return std::llround(std::sqrt(static_cast<double>(d))); }

}  // namespace

std::vector<double> random_field(const GeneratorConfig& config, std::vector<double> points) {
  const std::int64_t side = side_of(config.d);
  const std::vector<double> basis = cosine_basis(side);
  std::vector<double> amplitudes(as_size(config.d));
  double power = 0;
  for (std::int64_t k = 0; k < config.d; ++k) {
    const std::int64_t u = k / side;
    const std::int64_t v = k % side;
    const auto square = static_cast<double>(u * u + v * v);
    const double sharp = std::pow(1 + square, -config.decay / 2);
    const double angle = std::numbers::pi * config.blur / static_cast<double>(side);
    power += sharp * sharp / static_cast<double>(config.d);
    amplitudes[as_size(k)] = sharp * std::exp(-angle * angle * square / 2);
  }
  for (std::size_t i = 0; i < points.size(); ++i) {
    points[i] *= amplitudes[i % amplitudes.size()] / std::sqrt(power);
  }
  // image = basis^T coefficients basis, one factor at a time: rows of all images, then columns.
  std::vector<double> half(points.size());
  kernels::gemm_nn(config.n * side, side, side, 1.0, points.data(), side, basis.data(), side, 0.0,
                   half.data(), side);
  std::vector<double> transposed(basis.size());
  for (std::int64_t k = 0; k < config.d; ++k) {
    transposed[as_size(k % side * side + k / side)] = basis[as_size(k)];
  }
  for (std::int64_t i = 0; i < config.n; ++i) {
    kernels::gemm_nn(side, side, side, 1.0, transposed.data(), side, half.data() + i * config.d,
                     side, 0.0, points.data() + i * config.d, side);
  }
  return points;
}

bool is_square(std::int64_t d) { return side_of(d) * side_of(d) == d; }

}  // namespace kantor::data
