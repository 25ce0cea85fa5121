#include "distributed/state_fields.hpp"

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

void StateFields::add(const std::string& name, std::int64_t& value) const {
  if (saved_ != nullptr) {
    saved_->metadata.integers[prefix_ + name] = value;
  } else {
    value = state_.metadata.integer(prefix_ + name);
  }
}

void StateFields::add(const std::string& name, double& value) const {
  if (saved_ != nullptr) {
    saved_->metadata.numbers[prefix_ + name] = value;
  } else {
    value = state_.metadata.number(prefix_ + name);
  }
}

void StateFields::add(const std::string& name, const at::Tensor& values) const {
  const std::vector<std::int64_t> shape = values.sizes().vec();
  if (saved_ != nullptr) {
    const at::Tensor host = values.detach().to(torch::kCPU).contiguous();
    const auto* first = static_cast<const std::byte*>(host.data_ptr());
    saved_->tensors.push_back(
        {prefix_ + name, kind_of(host), shape, {first, first + host.nbytes()}});
    return;
  }
  const checkpoint::Tensor& found = state_.tensor(prefix_ + name, kind_of(values), shape);
  at::Tensor host = torch::empty(shape, values.options().device(torch::kCPU).requires_grad(false));
  if (!found.data.empty()) std::memcpy(host.data_ptr(), found.data.data(), found.data.size());
  const torch::NoGradGuard no_grad;
  values.copy_(host);
}

void StateFields::require(const std::string& name, const std::string& text) const {
  if (saved_ != nullptr) {
    saved_->metadata.environment[prefix_ + name] = text;
    return;
  }
  const auto& texts = state_.metadata.environment;
  const auto found = texts.find(prefix_ + name);
  if (found == texts.end() || found->second != text) {
    throw DataError(concat("the checkpoint of step ", state_.metadata.step, " holds other ",
                           prefix_ + name, " than ", text));
  }
}

}  // namespace kantor
