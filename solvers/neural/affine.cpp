#include "solvers/neural/affine.hpp"

#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/torch.h>

#include <optional>
#include <string_view>

namespace kantor::neural {

namespace {

using Scalars = c10::List<std::optional<at::Scalar>>;
using OneDnnLinear = at::Tensor(const at::Tensor& x, const at::Tensor& w,
                                const std::optional<at::Tensor>& bias, std::string_view activation,
                                Scalars scalars, std::optional<std::string_view> algorithm);

/// Null in a LibTorch that was built without it.
const c10::TypedOperatorHandle<OneDnnLinear>* one_dnn_linear() {
  static const auto found = []() -> std::optional<c10::TypedOperatorHandle<OneDnnLinear>> {
    const auto schema = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (!schema || !at::globalContext().hasMKLDNN()) return std::nullopt;
    return schema->typed<OneDnnLinear>();
  }();
  return found ? &*found : nullptr;
}

bool suits_one_dnn(const at::Tensor& x, const at::Tensor& w) {
  constexpr std::int64_t kFewestProducts = 1 << 19;  // below, its set-up is the larger part
  return x.is_cpu() && x.scalar_type() == at::kFloat && w.size(0) > 1 &&
         x.numel() * w.size(0) >= kFewestProducts &&
         !(at::GradMode::is_enabled() && (x.requires_grad() || w.requires_grad()));
}

}  // namespace

at::Tensor affine(const at::Tensor& x, const at::Tensor& w, const at::Tensor& bias) {
  if (suits_one_dnn(x, w)) {
    if (const auto* product = one_dnn_linear()) {
      return product->call(x, w, bias.defined() ? std::optional(bias) : std::nullopt, "none",
                           Scalars(), std::nullopt);
    }
  }
  return bias.defined() ? at::addmm(bias, x, w.t()) : at::mm(x, w.t());
}

}  // namespace kantor::neural
