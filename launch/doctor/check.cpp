#include "launch/doctor/check.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <exception>

namespace kantor::launch {

std::string line_of(const Check& check) {
  std::string line = check.verdict == Verdict::ok     ? "ok    "
                     : check.verdict == Verdict::warn ? "warn  "
                                                      : "FAIL  ";
  std::string name = check.name;
  name.resize(std::max<std::size_t>(name.size(), 15), ' ');
  line += name + "  " + check.text;
  if (!check.remedy.empty()) line += "; " + check.remedy;
  std::replace(line.begin(), line.end(), '\n', ' ');
  return line;
}

std::string short_number(double value) {
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), std::abs(value) < 10 ? "%.2g" : "%.0f", value);
  return text.data();
}

Check attempt_check(const std::string& name, const std::function<Check()>& check) {
  try {
    return check();
  } catch (const std::exception& error) {
    return {.verdict = Verdict::fail, .name = name, .text = error.what()};
  }
}

}  // namespace kantor::launch
