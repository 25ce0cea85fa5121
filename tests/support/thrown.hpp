#pragma once

#include <gtest/gtest.h>

#include <string>
#include <typeinfo>

namespace kantor::test {

/// The message of the exception that `call` must throw, which must be an `Expected` itself and not
/// one derived from it; fails the test and returns "" otherwise.
template <class Expected, class Call>
std::string message_of(const Call& call) {
  try {
    call();
  } catch (const Expected& error) {
    EXPECT_EQ(typeid(error), typeid(Expected)) << error.what();
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "threw another exception: " << error.what();
    return "";
  }
  ADD_FAILURE() << "threw nothing";
  return "";
}

}  // namespace kantor::test
