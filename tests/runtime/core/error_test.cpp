#include "runtime/core/error.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/thrown.hpp"

namespace kantor {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

template <class Leaf>
int exit_code() {
  return static_cast<int>(Leaf("message").exit_code());
}

TEST(Error, leads_each_leaf_to_its_exit_code) {
  EXPECT_EQ(exit_code<UsageError>(), 2);
  EXPECT_EQ(exit_code<DataError>(), 3);
  EXPECT_EQ(exit_code<NumericError>(), 70);
  EXPECT_EQ(exit_code<ShapeError>(), 70);
  EXPECT_EQ(exit_code<ValueError>(), 70);
  EXPECT_EQ(exit_code<IoError>(), 74);
  EXPECT_EQ(exit_code<CommError>(), 75);
  EXPECT_EQ(exit_code<ConfigError>(), 78);
}

TEST(Error, is_caught_at_its_root_with_its_message) {
  try {
    throw ShapeError("the message");
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "the message");
    return;
  }
  FAIL() << "not caught as Error";
}

TEST(Check, passes_when_the_condition_holds) {
  EXPECT_NO_THROW(KANTOR_CHECK(1 + 1 == 2, "arithmetic"));
}

TEST(Check, names_the_condition_the_values_and_the_place) {
  const int n = -3;
  const auto message = test::message_of<ValueError>([&] { KANTOR_CHECK(n > 0, "n is ", n); });
  EXPECT_THAT(message,
              AllOf(HasSubstr("n is -3"), HasSubstr("n > 0"), HasSubstr("error_test.cpp")));
}

TEST(Concat, streams_its_parts_one_after_the_other) {
  EXPECT_EQ(concat("a", 1, ' ', 2.5, std::string("b")), "a1 2.5b");
}

}  // namespace
}  // namespace kantor
