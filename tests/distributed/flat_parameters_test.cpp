#include "distributed/flat_parameters.hpp"

#include <gmock/gmock.h>

#include "runtime/core/error.hpp"
#include "tests/distributed/training.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::test {
namespace {

using ::testing::HasSubstr;

template <class T>
class FlatParametersOf : public testing::Test {
 protected:
  static constexpr std::int64_t kUnit = 256 / static_cast<std::int64_t>(sizeof(T));

  at::Tensor leaf(at::IntArrayRef shape, std::int64_t first) const {
    const std::int64_t count = c10::multiply_integers(shape);
    return torch::arange(first, first + count, at::TensorOptions(scalar_type<T>()))
        .view(shape)
        .requires_grad_();
  }
  static const char* place(const at::Tensor& tensor) {
    return static_cast<const char*>(tensor.const_data_ptr());
  }

  // Less than a unit, one unit, a scalar, one more than two units, and one that no loss reads.
  at::Tensor a = leaf({3, 5}, 100), b = leaf({kUnit}, 200), c = leaf({}, 300),
             d = leaf({2 * kUnit + 1}, 400), unused = leaf({4}, 500);
  FlatParameters flat{{{"a", a}, {"b", b}, {"c", c}, {"d", d}, {"unused", unused}}};
  const std::vector<std::int64_t> offsets = {0, 256, 512, 768, 768 + 3 * 256};  // [bytes]

  /// Whose gradient is its coefficients: 2, 3, 4, 5.
  at::Tensor loss() const { return 2 * a.sum() + 3 * b.sum() + 4 * c + 5 * d.sum(); }
  /// The sums over the ranks.
  StepTail reduced(const LocalLoss& mine, bool stop = false) {
    flat.reduce(world(), mine, stop);
    return FlatParameters::unpack(numbers(flat.tail()));
  }
  /// All gradients, padding included, after `times` backward passes.
  at::Tensor expected_gradients(double times) const {
    const at::Tensor result = torch::zeros_like(flat.values());
    double coefficient = 2;
    for (std::size_t i = 0; i < 4; ++i) {
      const std::int64_t first = offsets[i] / static_cast<std::int64_t>(sizeof(T));
      result.narrow(0, first, flat.parameters()[i].tensor.numel()).fill_(times * coefficient);
      coefficient += 1;
    }
    return result;
  }
  void expect_views() const {
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      const NamedParameter& parameter = flat.parameters()[i];
      EXPECT_EQ(place(parameter.tensor) - place(flat.values()), offsets[i]) << parameter.name;
      EXPECT_EQ(place(parameter.tensor.grad()) - place(flat.gradients()), offsets[i])
          << parameter.name;
    }
  }
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(FlatParametersOf, Types);

TYPED_TEST(FlatParametersOf, are_views_at_256_byte_offsets) {
  this->expect_views();
  EXPECT_EQ(this->flat.values().numel(), 7 * this->kUnit);
  EXPECT_EQ(this->flat.gradients().numel(), 7 * this->kUnit);
}

TYPED_TEST(FlatParametersOf, keep_values_and_shapes_and_pad_with_zeros) {
  const auto expect_counting_from = [](const at::Tensor& tensor, double first) {
    const at::Tensor all = tensor.detach().flatten();
    EXPECT_TRUE(all.equal(torch::arange(all.numel(), all.options()) + first)) << first;
  };
  EXPECT_EQ(this->a.sizes(), (std::vector<std::int64_t>{3, 5}));
  EXPECT_EQ(this->a.grad().sizes(), (std::vector<std::int64_t>{3, 5}));
  EXPECT_EQ(this->c.dim(), 0);
  expect_counting_from(this->a, 100);
  expect_counting_from(this->b, 200);
  expect_counting_from(this->c, 300);
  expect_counting_from(this->d, 400);
  expect_counting_from(this->unused, 500);
  EXPECT_EQ(this->flat.values()[15].template item<double>(), 0);
  EXPECT_EQ(this->flat.values().ne(0).sum().template item<std::int64_t>(),
            15 + this->kUnit + 1 + 2 * this->kUnit + 1 + 4);
}

TYPED_TEST(FlatParametersOf, share_memory_with_the_buffers) {
  this->flat.values().fill_(7);
  EXPECT_EQ(this->d.sum().template item<double>(), 7.0 * (2 * this->kUnit + 1));
  this->flat.gradients().fill_(9);
  EXPECT_EQ(this->a.grad().sum().template item<double>(), 9.0 * 15);
}

TYPED_TEST(FlatParametersOf, stay_views_while_gradients_accumulate) {
  for (int times = 1; times <= 3; ++times) {
    this->loss().backward();
    EXPECT_TRUE(this->flat.gradients().equal(this->expected_gradients(times))) << times;
    this->expect_views();
    EXPECT_NO_THROW(this->flat.check_views());
  }
  EXPECT_EQ(this->unused.grad().ne(0).sum().template item<std::int64_t>(), 0);
  this->flat.zero_gradients();
  EXPECT_TRUE(this->flat.gradients().equal(this->expected_gradients(0)));
  this->expect_views();
}

TYPED_TEST(FlatParametersOf, stay_views_in_a_double_backward) {
  const at::Tensor square = this->a.square().sum();
  const at::Tensor first = torch::autograd::grad({square}, {this->a}, {}, true, true)[0];
  first.square().sum().backward();  // d/da sum (2 a)^2 = 8 a
  EXPECT_NO_THROW(this->flat.check_views());
  this->expect_views();
  EXPECT_TRUE(this->a.grad().equal(8 * this->a.detach()));
}

TYPED_TEST(FlatParametersOf, notice_gradients_that_create_graph_has_replaced) {
  this->a.square().sum().backward({}, true, /*create_graph=*/true);
  EXPECT_THAT(message_of<ValueError>([&] { this->flat.check_views(); }),
              HasSubstr("the gradient of a is no longer a view of the flat buffer"));
  this->a.mutable_grad() = at::Tensor();  // breaks the cycle that create_graph has left
  EXPECT_THAT(message_of<ValueError>([&] { this->flat.check_views(); }), HasSubstr("of a is no"));
}

TYPED_TEST(FlatParametersOf, notice_values_that_were_moved_away) {
  const at::Tensor copy = this->d.detach().clone();
  this->d.set_data(copy);
  EXPECT_THAT(message_of<ValueError>([&] { this->flat.check_views(); }),
              HasSubstr("the value of d is no longer a view of the flat buffer"));
}

TEST(FlatParameters, refuse_mixed_types_and_types_without_reduction) {
  const auto of = [](at::ScalarType first, at::ScalarType second) {
    return message_of<ValueError>([&] {
      FlatParameters flat({{"first", torch::ones({2}, first)}, {"other", torch::ones(2, second)}});
    });
  };
  EXPECT_THAT(of(at::kFloat, at::kDouble), HasSubstr("parameter other has another type"));
  EXPECT_THAT(of(at::kDouble, at::kFloat), HasSubstr("parameter other has another type"));
  EXPECT_THAT(of(at::kHalf, at::kHalf), HasSubstr("neither float32 nor float64"));
  EXPECT_THAT(message_of<ValueError>([] { FlatParameters flat({}); }), HasSubstr("no parameters"));
}

TYPED_TEST(FlatParametersOf, take_the_values_of_rank_0) {
  this->flat.values().add_(world().rank());
  const CommCounts before = world().counts();
  this->flat.broadcast(world());
  EXPECT_EQ(world().counts().broadcast - before.broadcast, 1);
  EXPECT_EQ(this->a[0][0].template item<double>(), 100);
  EXPECT_EQ(this->unused[3].template item<double>(), 503);
  this->expect_views();
}

TYPED_TEST(FlatParametersOf, reduce_gradients_and_tail_in_one_all_reduce) {
  const double ranks = world().size(), rank = world().rank();
  ((rank + 1) * this->loss()).backward();  // integers: their sums are exact
  const CommCounts before = world().counts();
  const StepTail totals = this->reduced({.value = one(rank + 0.5), .count = 10 + rank});
  const CommCounts& after = world().counts();
  EXPECT_EQ(after.all_reduce - before.all_reduce, 1);
  EXPECT_EQ(
      after.all_gather + after.reduce_scatter + after.broadcast + after.barrier + after.agree,
      before.all_gather + before.reduce_scatter + before.broadcast + before.barrier + before.agree);
  EXPECT_TRUE(this->flat.gradients().equal(this->expected_gradients(ranks * (ranks + 1) / 2)));
  EXPECT_EQ(totals.loss, ranks * ranks / 2);
  EXPECT_EQ(totals.count, 10 * ranks + ranks * (ranks - 1) / 2);
  EXPECT_EQ(totals.nonfinite, 0);
  EXPECT_EQ(totals.stop, 0);
  this->expect_views();
}

TYPED_TEST(FlatParametersOf, tell_all_ranks_what_one_has_met_or_was_asked) {
  const at::Tensor norm = torch::ones({}, scalar_type<TypeParam>());
  for (int raiser = 0; raiser < world().size(); ++raiser) {
    const bool mine = world().rank() == raiser;
    const StepTail stop = this->reduced({.value = one(1)}, mine);
    EXPECT_EQ(stop.stop, 1);
    EXPECT_EQ(stop.nonfinite, 0);
    EXPECT_TRUE(this->flat.is_finite(norm).template item<bool>());
    const StepTail nonfinite = this->reduced({.value = one(mine ? std::nan("") : 1)});
    EXPECT_EQ(nonfinite.stop, 0);
    EXPECT_EQ(nonfinite.nonfinite, 1);
    EXPECT_FALSE(this->flat.is_finite(norm).template item<bool>());
  }
  this->reduced({.value = one(1)});
  EXPECT_FALSE(this->flat.is_finite(norm * HUGE_VAL).template item<bool>());
}

/// The share of a rank of 1/3, 1/7, .. with that sign and scale.
double loss_of(int rank, double scale, bool alternating) {
  return scale / (3 + 4 * rank) * (alternating && rank % 2 == 1 ? -1 : 1);
}

TYPED_TEST(FlatParametersOf, sum_losses_in_double_whatever_the_gradients_are) {
  for (const double scale : {1e-6, 1.0, 123'456.789, 1e15}) {
    for (const bool alternating : {false, true}) {
      long double truth = 0, magnitude = 0;
      for (int rank = 0; rank < world().size(); ++rank) {
        truth += loss_of(rank, scale, alternating);
        magnitude += std::abs(loss_of(rank, scale, alternating));
      }
      const StepTail totals =
          this->reduced({.value = one(loss_of(world().rank(), scale, alternating))});
      // A double's own rounding, once for each digit that the loss travels in, and the last digit.
      const auto tolerance =
          static_cast<double>(magnitude) * 13 * 0x1p-53 + world().size() * 0x1p-72;
      EXPECT_NEAR(totals.loss, static_cast<double>(truth), tolerance) << scale << alternating;
    }
  }
}

TYPED_TEST(FlatParametersOf, sum_losses_of_very_different_size) {
  const double mine = world().rank() == 0 ? 1e9 + 1.0 / 3 : 1e-3 / 7;
  const double truth = 1e9 + 1.0 / 3 + (world().size() - 1) * (1e-3 / 7);
  EXPECT_NEAR(this->reduced({.value = one(mine)}).loss, truth, 1e9 * 13 * 0x1p-53);
}

TYPED_TEST(FlatParametersOf, pass_on_a_loss_that_is_not_finite) {
  for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    const double mine = world().rank() == world().size() - 1 ? bad : 1;
    EXPECT_FALSE(std::isfinite(this->reduced({.value = one(mine)}).loss)) << bad;
  }
}

TYPED_TEST(FlatParametersOf, count_samples_exactly) {
  const std::int64_t total = std::int64_t{1} << 24;  // what a float32 holds
  const std::int64_t mine = shard_of(total, world().rank(), world().size()).count();
  EXPECT_EQ(this->reduced({.value = one(0), .count = static_cast<double>(mine)}).count, total);
}

}  // namespace
}  // namespace kantor::test
