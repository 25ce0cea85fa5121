#include "solvers/eot/gauge.hpp"

namespace kantor {

double fix_gauge(std::span<const double> a, std::vector<double>& f, std::vector<double>& g) {
  double mean = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (a[i] > 0) mean += a[i] * f[i];
  }
  for (double& value : f) value -= mean;
  for (double& value : g) value += mean;
  return -mean;
}

}  // namespace kantor
