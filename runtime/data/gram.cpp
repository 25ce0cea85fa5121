#include "runtime/data/gram.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/kernels/blas.hpp"

namespace kantor::data {
namespace {

constexpr std::int64_t kBlockRows = 512;

}  // namespace

void add_gram(std::span<const double> rows, std::int64_t count, std::int64_t d,
              std::span<const double> weights, std::span<double> gram) {
  KANTOR_CHECK(static_cast<std::int64_t>(rows.size()) == count * d, "rows of another size");
  KANTOR_CHECK(static_cast<std::int64_t>(gram.size()) == d * d, "a gram matrix of another size");
  KANTOR_CHECK(weights.empty() || static_cast<std::int64_t>(weights.size()) == count,
               "weights of another size");
  std::vector<double> block(static_cast<std::size_t>(d * std::min(kBlockRows, count)));
  for (std::int64_t first = 0; first < count; first += kBlockRows) {
    const std::int64_t size = std::min(kBlockRows, count - first);
    for (std::int64_t r = 0; r < size; ++r) {  // block = sqrt(weight) x, transposed: [D, size]
      const double factor =
          weights.empty() ? 1.0 : std::sqrt(weights[static_cast<std::size_t>(first + r)]);
      for (std::int64_t k = 0; k < d; ++k) {
        block[static_cast<std::size_t>(k * size + r)] =
            factor * rows[static_cast<std::size_t>((first + r) * d + k)];
      }
    }
    kernels::gemm_nt(d, d, size, 1.0, block.data(), size, block.data(), size, 1.0, gram.data(), d);
  }
}

}  // namespace kantor::data
