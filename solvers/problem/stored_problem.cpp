#include "solvers/problem/stored_problem.hpp"

#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/data/fingerprint.hpp"

namespace kantor {

namespace {

std::vector<std::string> fingerprints_in(const config::Value& record) {
  const config::Value* list = record.is_table() ? record.find("marginals") : nullptr;
  if (list == nullptr || !std::holds_alternative<config::Array>(list->data)) {
    throw ConfigError(concat(record.origin, ": [fingerprints] holds a list, marginals; ",
                             "remove the table to run without the check"));
  }
  std::vector<std::string> found;
  for (const config::Value& item : std::get<config::Array>(list->data)) {
    const auto* text = std::get_if<std::string>(&item.data);
    if (text == nullptr) {
      throw ConfigError(concat(item.origin, ": a fingerprint is a string, not ", item.type_name()));
    }
    found.push_back(*text);
  }
  return found;
}

}  // namespace

RunRecord take_record(config::Value& root) {
  RunRecord record;
  const config::Value* entry = root.is_table() ? root.find(RunRecord::kTable) : nullptr;
  if (entry == nullptr) return record;
  record.fingerprints = fingerprints_in(*entry);
  if (const config::Value* directory = entry->find(RunRecord::kDirectory)) {
    const auto* text = std::get_if<std::string>(&directory->data);
    if (text != nullptr) record.directory = *text;
  }
  std::erase_if(std::get<config::Table>(root.data),
                [](const auto& item) { return item.first == RunRecord::kTable; });
  return record;
}

std::optional<std::size_t> changed_marginal(const std::vector<std::string>& fingerprints,
                                            const Problem& problem) {
  for (std::size_t i = 0; i < problem.clouds.size(); ++i) {
    const std::string met = data::hash_text(problem.clouds[i].marginal.fingerprint());
    if (i >= fingerprints.size() || fingerprints[i] != met) return i;
  }
  return std::nullopt;
}

bool has_epsilon_of(const Record& result, const Problem& problem) {
  constexpr double kRounding = 1e-9;
  return std::abs(result.number("epsilon") - problem.epsilon) <= kRounding * problem.epsilon;
}

}  // namespace kantor
