#pragma once

// One line of `kantor doctor`: what was looked at, what was met, what to do.

#include <functional>
#include <string>
#include <vector>

namespace kantor::launch {

enum class Verdict { ok, warn, fail };

struct Check {
  Verdict verdict = Verdict::ok;
  std::string name = {};    ///< "cores"
  std::string text = {};    ///< what was met
  std::string remedy = {};  ///< the next move; empty if it is ok
};

/// "warn  cores        4 ranks x 1 thread on 2 cores; start at most 2 ranks on this host".
std::string line_of(const Check& check);

/// Two digits: "0.69", "12", "1500".
std::string short_number(double value);

/// The check, or a FAIL that says what it threw. For checks that no other rank waits for.
Check attempt_check(const std::string& name, const std::function<Check()>& check);

}  // namespace kantor::launch
