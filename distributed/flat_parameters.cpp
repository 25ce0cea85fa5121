#include "distributed/flat_parameters.hpp"

#include <torch/torch.h>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {

namespace {

constexpr std::int64_t kAlignmentBytes = 256;
constexpr std::int64_t kTailSize = 5;  // loss as high and low part, count, nonfinite, stop

std::int64_t padded(std::int64_t count, std::int64_t element_bytes) {
  const std::int64_t unit = kAlignmentBytes / element_bytes;
  return (count + unit - 1) / unit * unit;
}

template <class T>
std::span<T> span_of(const at::Tensor& tensor) {
  return {tensor.data_ptr<T>(), static_cast<std::size_t>(tensor.numel())};
}

/// The loss is split so that float32 gradients do not round it.
template <class T>
void pack(std::span<T> tail, const StepTail& share) {
  tail[0] = static_cast<T>(share.loss);
  tail[1] = static_cast<T>(share.loss - static_cast<double>(tail[0]));
  tail[2] = static_cast<T>(share.count);
  tail[3] = static_cast<T>(share.nonfinite);
  tail[4] = static_cast<T>(share.stop);
}

template <class T>
StepTail unpack(std::span<const T> tail) {
  const auto at = [&](std::size_t i) { return static_cast<double>(tail[i]); };
  return {.loss = at(0) + at(1), .count = at(2), .nonfinite = at(3), .stop = at(4)};
}

}  // namespace

FlatParameters::FlatParameters(std::vector<NamedParameter> parameters)
    : parameters_(std::move(parameters)) {
  KANTOR_CHECK(!parameters_.empty(), "no parameters to train");
  const auto options = parameters_.front().tensor.options().requires_grad(false);
  const auto element_bytes = static_cast<std::int64_t>(options.dtype().itemsize());
  std::int64_t total = 0;
  for (const NamedParameter& parameter : parameters_) {
    KANTOR_CHECK(parameter.tensor.dtype() == options.dtype(), "parameter ", parameter.name,
                 " has another type than the first");
    offsets_.push_back(total);
    total += padded(parameter.tensor.numel(), element_bytes);
  }
  values_ = torch::zeros({total}, options);
  gradients_with_tail_ = torch::zeros({total + kTailSize}, options);
  gradients_ = gradients_with_tail_.narrow(0, 0, total);

  const torch::NoGradGuard no_grad;
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    at::Tensor& tensor = parameters_[i].tensor;
    const auto view_in = [&](const at::Tensor& buffer) {
      return buffer.narrow(0, offsets_[i], tensor.numel()).view(tensor.sizes());
    };
    view_in(values_).copy_(tensor);
    tensor.set_data(view_in(values_));
    tensor.mutable_grad() = view_in(gradients_);
  }
}

void FlatParameters::zero_gradients() { gradients_with_tail_.zero_(); }

StepTail FlatParameters::reduce(Communicator& world, const StepTail& mine) {
  const auto run = [&]<class T>(T) {
    const std::span<T> buffer = span_of<T>(gradients_with_tail_);
    const std::span<T> tail = buffer.last(kTailSize);
    pack(tail, mine);
    world.all_reduce(buffer, ReduceOp::sum, "gradients");
    return unpack(std::span<const T>(tail));
  };
  return values_.scalar_type() == at::kFloat ? run(float{}) : run(double{});
}

void FlatParameters::check_views() const {
  const auto* base = static_cast<const char*>(gradients_.data_ptr());
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const at::Tensor& gradient = parameters_[i].tensor.grad();
    const std::int64_t offset = offsets_[i] * static_cast<std::int64_t>(gradients_.element_size());
    KANTOR_CHECK(gradient.defined() && gradient.data_ptr() == base + offset, "the gradient of ",
                 parameters_[i].name, " is no longer a view of the flat buffer");
  }
}

std::string FlatParameters::description() const {
  std::vector<std::string> names;
  for (const NamedParameter& parameter : parameters_) {
    std::vector<std::string> sizes;
    for (const std::int64_t size : parameter.tensor.sizes()) sizes.push_back(concat(size));
    names.push_back(concat(parameter.name, " [", join(sizes), "]"));
  }
  return join(names);
}

void FlatParameters::broadcast(Communicator& world) {
  const auto run = [&]<class T>(T) {
    world.broadcast(span_of<T>(values_), 0, "initial parameters");
  };
  values_.scalar_type() == at::kFloat ? run(float{}) : run(double{});
}

}  // namespace kantor
