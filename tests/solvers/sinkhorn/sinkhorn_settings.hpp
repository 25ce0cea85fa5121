#pragma once

// [solver.sinkhorn] from "key=value" as --set takes it.

#include <string>
#include <vector>

#include "runtime/config/value.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::test {

inline sinkhorn::SinkhornConfig read_sinkhorn(const std::vector<std::string>& settings) {
  config::Value given{config::Table{}, "test", ""};
  for (const std::string& setting : settings) {
    config::apply_setting(given, "solver.sinkhorn." + setting);
  }
  config::Value resolved{config::Table{}, "", ""};
  return config::read<sinkhorn::SinkhornConfig>(given, "solver.sinkhorn", resolved);
}

}  // namespace kantor::test
