#include "runtime/checkpoint/snapshot.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/core/error.hpp"
#include "tests/runtime/checkpoint/samples.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::checkpoint {
namespace {

using test::message_of;
using test::sample_snapshot;
using testing::HasSubstr;

TEST(Snapshot, gives_the_values_of_a_tensor_of_the_expected_type_and_shape) {
  const Snapshot snapshot = sample_snapshot(1, 2);
  EXPECT_EQ(snapshot.values<float>("parameters", std::vector<std::int64_t>{2}),
            (std::vector<float>{1, 1.25F}));
  EXPECT_EQ(snapshot.values<std::int64_t>("positions", {}),
            (std::vector<std::int64_t>{-(std::int64_t{1} << 62)}));
  EXPECT_TRUE(snapshot.values<float>("nothing", std::vector<std::int64_t>{0, 5}).empty());
}

TEST(Snapshot, names_a_missing_tensor_and_those_it_has) {
  const std::string message = message_of<DataError>([] { sample_snapshot(1).tensor("momentum"); });
  EXPECT_THAT(message, HasSubstr("no tensor 'momentum'"));
  EXPECT_THAT(message, HasSubstr("parameters, moments"));
}

TEST(Snapshot, names_both_types_where_they_differ) {
  const std::vector<std::int64_t> shape = {300};
  const std::vector<std::int64_t> longer = {301};
  const std::string type =
      message_of<DataError>([&] { sample_snapshot(1).values<double>("parameters", shape); });
  EXPECT_THAT(type, HasSubstr("'parameters' of the checkpoint is float32 [300]"));
  EXPECT_THAT(type, HasSubstr("needs float64 [300]"));
  EXPECT_THAT(
      message_of<DataError>([&] { sample_snapshot(1).values<float>("parameters", longer); }),
      HasSubstr("needs float32 [301]"));
  const std::vector<std::int64_t> deeper = {300, 1};
  EXPECT_THROW(sample_snapshot(1).values<float>("parameters", deeper), DataError);
}

TEST(Snapshot, names_a_missing_number_or_integer) {
  const Metadata metadata = sample_snapshot(1).metadata;
  EXPECT_EQ(metadata.integer("skipped"), -3);
  EXPECT_EQ(metadata.number("tiny"), 5e-324);
  EXPECT_THAT(message_of<DataError>([&] { metadata.number("skipped"); }),
              HasSubstr("no number 'skipped'; it has best, gap"));
  EXPECT_THAT(message_of<DataError>([&] { metadata.integer("best"); }),
              HasSubstr("no integer 'best'; it has least, skipped"));
}

TEST(Snapshot, beyond_the_limits_is_a_mistake_of_the_caller) {
  using Change = void (*)(Snapshot&);
  const Change changes[] = {
      [](Snapshot& s) { s.tensors[0].data.pop_back(); },
      [](Snapshot& s) { s.tensors[0].shape = {-1}; },
      [](Snapshot& s) { s.tensors[0].shape = std::vector<std::int64_t>(9, 1); },
      [](Snapshot& s) {
        s.tensors[0].shape = {std::int64_t{1} << 62, 2};
      },
      [](Snapshot& s) { s.tensors[0].kind = static_cast<ElementKind>(9); },
      [](Snapshot& s) { s.tensors[0].name = ""; },
      [](Snapshot& s) { s.tensors[0].name = "a\nb"; },
      [](Snapshot& s) { s.tensors[0].name = std::string(kLongestName + 1, 'a'); },
      [](Snapshot& s) { s.tensors[1].name = s.tensors[0].name; },
      [](Snapshot& s) { s.metadata.step = -1; },
      [](Snapshot& s) { s.metadata.world_size = 0; },
      [](Snapshot& s) { s.metadata.samples_seen = -1; },
      [](Snapshot& s) { s.metadata.backend = "a\tb"; },
      [](Snapshot& s) { s.metadata.numbers[""] = 1; },
      [](Snapshot& s) { s.metadata.integers["\x7f"] = 1; },
      [](Snapshot& s) { s.metadata.environment["a"] = std::string(1 << 20, 'b'); },
      [](Snapshot& s) { s.metadata.config_text.resize(kLongestText + 1); },
      [](Snapshot& s) { s.metadata.data_fingerprints.resize(kMostEntries + 1); },
  };
  EXPECT_NO_THROW(encode(sample_snapshot(1)));
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    Snapshot snapshot = sample_snapshot(1);
    changes[i](snapshot);
    EXPECT_THROW(encode(snapshot), ValueError) << "change " << i;
  }
}

}  // namespace
}  // namespace kantor::checkpoint
