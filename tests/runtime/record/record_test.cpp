#include "runtime/record/record.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "runtime/core/error.hpp"
#include "tests/support/thrown.hpp"

namespace kantor {
namespace {

Record small_record() {
  Record inner;
  inner.set("lower", 0.1, "what is proven");
  inner.set("counts", std::vector<std::int64_t>{3, 4});
  Record record;
  record.set("name", "a \"b\"\n");
  record.set("one", 1.0);
  record.set("count", std::int64_t{1} << 60);
  record.set("ready", true);
  record.set("flags", std::vector<bool>{true, false});
  record.set("inner", inner);
  record.set("points.npy", "00ff");
  return record;
}

TEST(Record, keeps_the_order_and_the_kind_of_what_it_is_given) {
  EXPECT_EQ(small_record().json(-1),
            R"({"name":"a \"b\"\n","one":1.0,"count":1152921504606846976,"ready":true,)"
            R"("flags":[true,false],"inner":{"lower":0.1,"counts":[3,4]},"points.npy":"00ff"})");
  EXPECT_EQ(Record().json(), "{}");
}

TEST(Record, reads_back_what_it_wrote) {
  const Record record = small_record();
  EXPECT_TRUE(Record::parse(record.json()) == record);
  EXPECT_EQ(Record::parse(record.json(-1)).json(), record.json());
  for (const double value : {1.0 / 3, 5e-324, -0.0, 1e300, 123456789.0}) {
    Record one;
    one.set("x", value);
    const double read = Record::parse(one.json()).number("x");
    EXPECT_EQ(read, value);
    EXPECT_EQ(std::signbit(read), std::signbit(value));
  }
}

TEST(Record, finds_by_names_and_by_paths) {
  const Record record = small_record();
  EXPECT_EQ(record.number("inner.lower"), 0.1);
  EXPECT_EQ(record.number("count"), 1152921504606846976.0);
  EXPECT_EQ(record.get<std::vector<double>>("inner.counts"), (std::vector<double>{3, 4}));
  EXPECT_EQ(record.get<std::string>("points.npy"), "00ff");
  EXPECT_EQ(record.find("inner.upper"), nullptr);
  EXPECT_EQ(record.find("name.x"), nullptr);
  EXPECT_FALSE(record.find_as<bool>("name").has_value());
  EXPECT_FALSE(record.find_as<std::vector<bool>>("inner.counts").has_value());
}

TEST(Record, names_what_is_missing_or_of_another_kind) {
  const auto told = [](const auto& ask) { return test::message_of<DataError>(ask); };
  EXPECT_EQ(told([] { static_cast<void>(small_record().number("kl")); }), "it has no \"kl\"");
  const std::string kind = told([] { static_cast<void>(small_record().number("name")); });
  EXPECT_NE(kind.find("\"name\" is"), std::string::npos) << kind;
}

TEST(Record, replaces_a_value_in_its_place) {
  Record record = small_record();
  const std::size_t count = record.entries().size();
  record.set("one", 2.0);
  EXPECT_EQ(record.entries()[1].name, "one");
  EXPECT_EQ(record.number("one"), 2.0);
  EXPECT_EQ(record.entries().size(), count);
}

TEST(Record, leaves_out_what_has_no_value) {
  Record record;
  record.set_if("a", std::optional<double>());
  record.set_if_finite("b", std::nan(""));
  record.set_if_finite("c", HUGE_VAL);
  EXPECT_TRUE(record.empty());
  record.set_if("a", std::optional<std::int64_t>(3), "how many");
  EXPECT_EQ(record.entries()[0].meaning, "how many");
}

TEST(Record, tells_the_first_number_that_is_not_finite) {
  Record record = small_record();
  EXPECT_EQ(record.find_nonfinite(), "");
  Record inner;
  inner.set("error", std::vector<double>{0, -HUGE_VAL});
  record.set("inner", inner);
  EXPECT_EQ(record.find_nonfinite(), "inner.error.1 is infinite");
  record.set("one", std::nan(""));
  EXPECT_EQ(record.find_nonfinite(), "one is NaN");
}

TEST(Record, reads_null_as_no_number) {
  EXPECT_TRUE(std::isnan(Record::parse(R"({"kl": null})").number("kl")));
}

TEST(Record, replaces_bytes_that_are_no_text) {
  Record record;
  record.set("path", std::string("a\xff"));
  EXPECT_EQ(record.json(-1), "{\"path\":\"a\xef\xbf\xbd\"}");
}

TEST(Record, refuses_texts_that_are_none) {
  const std::string deep = "{\"a\":" + std::string(100000, '[');
  for (const std::string& text : {std::string(), std::string("[1]"), std::string("nonsense"),
                                  std::string("{\"a\": 1"), deep}) {
    EXPECT_THROW(static_cast<void>(Record::parse(text)), DataError) << text.substr(0, 20);
  }
}

}  // namespace
}  // namespace kantor
