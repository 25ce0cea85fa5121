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

bool StateFields::counts(bool is_there) const {
  if (num_found_ != nullptr && is_there) ++*num_found_;
  return num_found_ != nullptr;
}

void StateFields::add(const std::string& name, std::int64_t& value) const {
  if (is_saving()) {
    saved_->metadata.integers[prefix_ + name] = value;
  } else if (!counts(state_.metadata.integers.contains(prefix_ + name))) {
    value = state_.metadata.integer(prefix_ + name);
  }
}

void StateFields::add(const std::string& name, double& value) const {
  if (is_saving()) {
    saved_->metadata.numbers[prefix_ + name] = value;
  } else if (!counts(state_.metadata.numbers.contains(prefix_ + name))) {
    value = state_.metadata.number(prefix_ + name);
  }
}

void StateFields::add(const std::string& name, bool& value) const {
  std::int64_t number = value ? 1 : 0;
  add(name, number);
  value = number != 0;
}

void StateFields::add(const std::string& name, std::vector<double>& values) const {
  const std::int64_t size = std::ssize(values);
  if (is_saving()) {
    saved_->tensors.push_back(
        checkpoint::make_tensor(prefix_ + name, {size}, std::span<const double>(values)));
  } else if (!counts(state_.find(prefix_ + name) != nullptr)) {
    values = state_.values<double>(prefix_ + name, {&size, 1});
  }
}

void StateFields::add_or_none(const std::string& name, std::vector<double>& values,
                              std::size_t size) const {
  if (is_restoring()) values.resize(state_.tensor(prefix_ + name).data.empty() ? 0 : size);
  add(name, values);
}

bool StateFields::has_number(const std::string& name, bool is_saved) const {
  return is_saving() ? is_saved : state_.metadata.numbers.contains(prefix_ + name);
}

void StateFields::add(const std::string& name, const at::Tensor& values) const {
  const std::vector<std::int64_t> shape = values.sizes().vec();
  if (is_saving()) {
    const at::Tensor host = values.detach().to(torch::kCPU).contiguous();
    const auto* first = static_cast<const std::byte*>(host.data_ptr());
    saved_->tensors.push_back(
        {prefix_ + name, kind_of(host), shape, {first, first + host.nbytes()}});
    return;
  }
  if (counts(state_.find(prefix_ + name) != nullptr)) return;
  const checkpoint::Tensor& found = state_.tensor(prefix_ + name, kind_of(values), shape);
  at::Tensor host = torch::empty(shape, values.options().device(torch::kCPU).requires_grad(false));
  if (!found.data.empty()) std::memcpy(host.data_ptr(), found.data.data(), found.data.size());
  const torch::NoGradGuard no_grad;
  values.copy_(host);
}

void StateFields::require(const std::string& name, const std::string& text) const {
  if (is_saving()) {
    saved_->metadata.environment[prefix_ + name] = text;
    return;
  }
  const auto& texts = state_.metadata.environment;
  if (counts(texts.contains(prefix_ + name))) return;
  const auto found = texts.find(prefix_ + name);
  if (found == texts.end() || found->second != text) {
    throw DataError(concat("the checkpoint of step ", state_.metadata.step, " holds other ",
                           prefix_ + name, " than ", text));
  }
}

}  // namespace kantor
