#pragma once

// The golden case: x_i = (cos i, sin 2i), i = 0..7; y_j = (1 + .5 sin 3j, .3 j), j = 0..5; a in
// proportion to 1 + (i mod 3), b to 1 + (j mod 2). Computed twice independently of this code.

#include <cmath>
#include <vector>

namespace kantor::kernels::test {

struct GoldenCase {
  std::vector<double> x, y, a, b, log_b, log_a;
  GoldenCase() {
    double total = 0;
    for (int i = 0; i < 8; ++i) {
      x.insert(x.end(), {std::cos(i), std::sin(2 * i)});
      a.push_back(1 + i % 3);
      total += a.back();
    }
    for (double& value : a) value /= total;
    total = 0;
    for (int j = 0; j < 6; ++j) {
      y.insert(y.end(), {1 + .5 * std::sin(3 * j), .3 * j});
      b.push_back(1 + j % 2);
      total += b.back();
    }
    for (double& value : b) value /= total;
    for (const double value : a) log_a.push_back(std::log(value));
    for (const double value : b) log_b.push_back(std::log(value));
  }
};

// sqeuclidean, eps = .1, gauge sum_i a_i f_i = 0.
inline const std::vector<double> kGoldenF = {-1.691470611581, -2.223564535985, 2.177418177330,
                                             3.080282626253,  .710903779031,   .238622832937,
                                             -.457502041079,  -2.577055745243};
inline const std::vector<double> kGoldenG = {.543932073178,  1.199213565354, 1.334794304507,
                                             2.694255775815, 1.454155271238, 3.304317834806};
constexpr double kGoldenEpsilon = .1;
constexpr double kGoldenTransportCost = 1.861403494376;
constexpr double kGoldenKl = 1.084249501648;

// pnorm p = 1.5, eps = .1.
inline const std::vector<double> kGoldenPnormF = {-.757670791609, -1.113475069475, 1.165568932514,
                                                  1.450667876354, .113697536533,   .225156891032,
                                                  -.224202027153, -1.320708731173};
inline const std::vector<double> kGoldenPnormG = {.496554761602,  .825791482680,  .919174984373,
                                                  1.514886334719, 1.219898351969, 1.980076522532};
constexpr double kGoldenPnormTransportCost = 1.183657716487;

}  // namespace kantor::kernels::test
