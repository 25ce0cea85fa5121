#include "distributed/flat_parameters.hpp"

#include <torch/torch.h>

#include <cmath>

#include "distributed/tensor_verbs.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor {

namespace {

constexpr std::int64_t kAlignmentBytes = 256;
// The loss travels as digits to the base 2^12, from 2^72 down to 2^-72, each a whole number: sums
// of them over up to 4096 ranks are exact in float32 too, whatever the sizes of the shares.
constexpr std::int64_t kLossDigits = 13;
constexpr int kDigitBits = 12;
constexpr int kFirstExponent = 72;
// Behind the digits.
constexpr std::int64_t kCount = kLossDigits;
constexpr std::int64_t kNonfinite = kLossDigits + 1;
constexpr std::int64_t kStop = kLossDigits + 2;
static_assert(FlatParameters::kTailSize == kStop + 1);

std::int64_t padded(std::int64_t count, std::int64_t element_bytes) {
  const std::int64_t unit = kAlignmentBytes / element_bytes;
  return (count + unit - 1) / unit * unit;
}

/// What digit i of a loss counts.
double digit_unit(std::int64_t i) {
  return std::ldexp(1.0, kFirstExponent - kDigitBits * static_cast<int>(i));
}

}  // namespace

FlatParameters::FlatParameters(std::vector<NamedParameter> parameters)
    : parameters_(std::move(parameters)) {
  KANTOR_CHECK(!parameters_.empty(), "no parameters to train");
  const auto options = parameters_.front().tensor.options().requires_grad(false);
  const auto element_bytes = static_cast<std::int64_t>(options.dtype().itemsize());
  const at::ScalarType type = parameters_.front().tensor.scalar_type();
  KANTOR_CHECK(type == at::kFloat || type == at::kDouble, "parameter ", parameters_.front().name,
               " is ", c10::toString(type), ", neither float32 nor float64");
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
  tail_ = gradients_with_tail_.narrow(0, total, kTailSize);
  std::vector<double> units;
  for (std::int64_t i = 0; i < kLossDigits; ++i) units.push_back(digit_unit(i));
  digit_units_ = torch::tensor(units, torch::kFloat64).to(options.device());

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

void FlatParameters::reduce(Communicator& world, const LocalLoss& mine, bool stop) {
  const torch::NoGradGuard no_grad;
  const at::Tensor whole = (mine.value / digit_units_).trunc_();  // in units of each digit
  tail_.narrow(0, 0, 1).copy_(whole.narrow(0, 0, 1));
  tail_.narrow(0, 1, kLossDigits - 1)
      .copy_(at::sub(whole.narrow(0, 1, kLossDigits - 1), whole.narrow(0, 0, kLossDigits - 1),
                     1 << kDigitBits));  // NaN of an infinite loss: the sum is not finite either
  tail_.narrow(0, kCount, 1).fill_(mine.count);
  tail_.narrow(0, kNonfinite, 1).copy_(mine.value.isfinite().logical_not());
  tail_.narrow(0, kStop, 1).fill_(stop ? 1 : 0);
  all_reduce(world, gradients_with_tail_, ReduceOp::sum, "gradients");
}

StepTail FlatParameters::unpack(std::span<const double> numbers) {
  KANTOR_CHECK(numbers.size() == kTailSize, "a tail of ", numbers.size(), " numbers");
  const auto at = [&](std::int64_t i) { return numbers[static_cast<std::size_t>(i)]; };
  double loss = 0;
  for (std::int64_t i = kLossDigits; i-- > 0;) loss += at(i) * digit_unit(i);  // small ones first
  return {.loss = loss, .count = at(kCount), .nonfinite = at(kNonfinite), .stop = at(kStop)};
}

at::Tensor FlatParameters::is_finite(const at::Tensor& norm) const {
  return (norm + tail_.sum()).isfinite().logical_and_(tail_.select(0, kNonfinite).eq(0));
}

void FlatParameters::check_views() const {
  for (std::size_t i = 0; i < parameters_.size(); ++i) {
    const auto check = [&](const char* what, const at::Tensor& view, const at::Tensor& buffer) {
      const std::int64_t offset = offsets_[i] * static_cast<std::int64_t>(buffer.element_size());
      const auto* place = static_cast<const char*>(buffer.const_data_ptr()) + offset;
      KANTOR_CHECK(view.defined() && view.const_data_ptr() == place, "the ", what, " of ",
                   parameters_[i].name, " is no longer a view of the flat buffer");
    };
    check("value", parameters_[i].tensor, values_);
    check("gradient", parameters_[i].tensor.grad(), gradients_);
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
  kantor::broadcast(world, values_, 0, "initial parameters");
}

}  // namespace kantor
