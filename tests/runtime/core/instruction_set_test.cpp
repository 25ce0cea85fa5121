#include "runtime/core/instruction_set.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "runtime/core/error.hpp"

namespace kantor {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr InstructionSet kAll[] = {InstructionSet::portable, InstructionSet::avx2,
                                   InstructionSet::avx512};

TEST(InstructionSetOf, the_processor_is_its_best_where_none_is_named) {
  EXPECT_EQ(choose_instruction_set(nullptr), best_instruction_set());
  EXPECT_EQ(choose_instruction_set(""), best_instruction_set());
  EXPECT_TRUE(is_available(best_instruction_set()));
}

TEST(InstructionSetOf, a_name_is_taken_or_refused_with_what_the_processor_has) {
  for (const InstructionSet set : kAll) {
    if (is_available(set)) {
      EXPECT_EQ(choose_instruction_set(name_of(set)), set);
    } else {
      EXPECT_THAT([&] { choose_instruction_set(name_of(set)); },
                  testing::ThrowsMessage<ConfigError>(
                      AllOf(HasSubstr(name_of(set)), HasSubstr("it has portable"))));
    }
  }
}

TEST(InstructionSetOf, an_unknown_name_is_refused_with_the_known_ones) {
  for (const std::string name : {"AVX2", "avx", "avx2 ", "sse4", "native"}) {
    EXPECT_THAT([&] { choose_instruction_set(name.c_str()); },
                testing::ThrowsMessage<ConfigError>(
                    AllOf(HasSubstr("\"" + name + "\""), HasSubstr("portable, avx2, avx512"))));
  }
}

TEST(InstructionSetOf, this_process_is_what_its_environment_says) {
  EXPECT_EQ(instruction_set(), choose_instruction_set(std::getenv(kInstructionSetVariable)));
}

}  // namespace
}  // namespace kantor
