#include "solvers/neural/potential_values.hpp"

#include <torch/torch.h>

#include <algorithm>

namespace kantor::neural {

template <class T>
std::vector<double> potential_at(const Potential& potential, const Pair& pair,
                                 std::span<const std::int64_t> rows, Part part) {
  constexpr std::size_t kBlock = 1024;
  const torch::NoGradGuard no_grad;
  std::vector<double> values;
  values.reserve(rows.size());
  for (std::size_t first = 0; first < rows.size(); first += kBlock) {
    const auto block = rows.subspan(first, std::min(kBlock, rows.size() - first));
    at::Tensor x = torch::empty({static_cast<std::int64_t>(block.size()), pair.d()},
                                torch::TensorOptions().dtype(torch::CppTypeToScalarType<T>::value));
    pair.x.marginal.read<T>(block, pair.centre, x.data_ptr<T>());
    const at::Tensor on_device = x.to(potential.device());
    const at::Tensor f =
        part == Part::whole ? potential.forward(on_device) : potential.correction(on_device);
    const at::Tensor exact = f.to(torch::kCPU, torch::kFloat64);
    values.insert(values.end(), exact.data_ptr<double>(), exact.data_ptr<double>() + exact.numel());
  }
  return values;
}

template std::vector<double> potential_at<float>(const Potential&, const Pair&,
                                                 std::span<const std::int64_t>, Part);
template std::vector<double> potential_at<double>(const Potential&, const Pair&,
                                                  std::span<const std::int64_t>, Part);

}  // namespace kantor::neural
