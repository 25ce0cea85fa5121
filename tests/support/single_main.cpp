// main() of GoogleTest programs of one rank.

#include <gtest/gtest.h>

#include <cstdio>

#include "runtime/core/error.hpp"
#include "runtime/core/instruction_set.hpp"

int main(int argc, char** argv) {
  try {
    kantor::hold_libraries_to_instruction_set();
  } catch (const kantor::Error& error) {
    std::fprintf(stderr, "%s: %s\n", argv[0], error.what());
    return static_cast<int>(error.exit_code());
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
