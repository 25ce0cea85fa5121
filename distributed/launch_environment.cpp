#include <charconv>
#include <cstdlib>
#include <limits>
#include <optional>

#include "distributed/communicator.hpp"
#include "runtime/core/error.hpp"

namespace kantor {
namespace {

// Slurm numbers its batch, external, interactive and pending "steps" from here up; older versions
// print some of them as negative.
constexpr std::int64_t kFirstReservedStep = 0xfffffff0;

using Lookup = std::function<const char*(const char*)>;

std::string value_of(const Lookup& lookup, const char* variable) {
  const char* text = lookup(variable);
  return text == nullptr ? "" : text;
}

std::optional<std::int64_t> parse_integer(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  if (error != std::errc{} || stop != end) return std::nullopt;
  return value;
}

bool inside_slurm_step(const Lookup& lookup) {
  if (value_of(lookup, "SLURM_PROCID").empty()) return false;
  const auto step = parse_integer(value_of(lookup, "SLURM_STEP_ID"));
  return step && *step >= 0 && *step < kFirstReservedStep;
}

LaunchEnvironment announced(const char* variable, const std::string& text) {
  const auto count = parse_integer(text);
  if (!count || *count < 1 || *count > std::numeric_limits<int>::max()) {
    throw ConfigError(concat("environment variable ", variable, "=\"", text,
                             "\" should hold the number of ranks that the launcher started; unset "
                             "it to run without a launcher"));
  }
  return {static_cast<int>(*count), true, variable};
}

}  // namespace

LaunchEnvironment launch_environment(const Lookup& lookup) {
  for (const char* variable : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"}) {
    const std::string text = value_of(lookup, variable);
    if (!text.empty()) return announced(variable, text);
  }
  if (inside_slurm_step(lookup)) {
    for (const char* variable : {"SLURM_STEP_NUM_TASKS", "SLURM_NTASKS"}) {
      const std::string text = value_of(lookup, variable);
      if (!text.empty()) return announced(variable, text);
    }
  }
  return {};
}

LaunchEnvironment launch_environment() {
  return launch_environment([](const char* variable) { return std::getenv(variable); });
}

int announced_rank() {
  try {
    const LaunchEnvironment launched = launch_environment();
    const std::string& by = launched.source;
    const char* variable = by == "OMPI_COMM_WORLD_SIZE" ? "OMPI_COMM_WORLD_RANK"
                           : by == "PMI_SIZE"           ? "PMI_RANK"
                                                        : "SLURM_PROCID";
    const char* text = std::getenv(variable);
    const auto rank = text == nullptr ? std::nullopt : parse_integer(text);
    // A number that no launcher vouches for was left behind by one.
    return rank && *rank >= 0 && *rank < launched.num_ranks ? static_cast<int>(*rank) : 0;
  } catch (const ConfigError&) {  // the count is none, as whoever asks for it will be told
    return 0;
  }
}

}  // namespace kantor
