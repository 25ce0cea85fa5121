#include "distributed/tensor_snapshot.hpp"

#include <torch/torch.h>

#include <cstring>

#include "runtime/core/error.hpp"

namespace kantor {

namespace {

checkpoint::ElementKind kind_of(const at::Tensor& tensor) {
  if (tensor.scalar_type() == at::kFloat) return checkpoint::ElementKind::float32;
  KANTOR_CHECK(tensor.scalar_type() == at::kDouble,
               "a tensor of another type than float or double");
  return checkpoint::ElementKind::float64;
}

}  // namespace

checkpoint::Tensor to_snapshot(std::string name, const at::Tensor& tensor) {
  const at::Tensor host = tensor.detach().to(torch::kCPU).contiguous();
  const auto* first = static_cast<const std::byte*>(host.data_ptr());
  return {std::move(name), kind_of(host), host.sizes().vec(), {first, first + host.nbytes()}};
}

void from_snapshot(const checkpoint::Snapshot& state, const std::string& name, at::Tensor target) {
  const std::vector<std::int64_t> shape = target.sizes().vec();
  const checkpoint::Tensor& found = state.tensor(name, kind_of(target), shape);
  at::Tensor host = torch::empty(shape, target.options().device(torch::kCPU).requires_grad(false));
  if (!found.data.empty()) std::memcpy(host.data_ptr(), found.data.data(), found.data.size());
  const torch::NoGradGuard no_grad;
  target.copy_(host);
}

}  // namespace kantor
