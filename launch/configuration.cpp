#include "launch/configuration.hpp"

#include <algorithm>
#include <span>
#include <sstream>

#include "runtime/core/error.hpp"
#include "runtime/data/fingerprint.hpp"

namespace kantor::launch {
namespace {

constexpr const char* kFingerprints = "fingerprints";

/// Takes [fingerprints] out of a resolved.toml, so that the solvers' schema does not know it.
std::vector<std::string> take_fingerprints(config::Value& root) {
  std::vector<std::string> found;
  if (!root.is_table()) return found;
  auto& table = std::get<config::Table>(root.data);
  const auto entry = std::find_if(table.begin(), table.end(),
                                  [](const auto& item) { return item.first == kFingerprints; });
  if (entry == table.end()) return found;
  const config::Value* list = entry->second.is_table() ? entry->second.find("marginals") : nullptr;
  if (list == nullptr || !std::holds_alternative<config::Array>(list->data)) {
    throw ConfigError(concat(entry->second.origin, ": [fingerprints] holds one list, marginals; ",
                             "remove the table to run without the check"));
  }
  for (const config::Value& item : std::get<config::Array>(list->data)) {
    const auto* text = std::get_if<std::string>(&item.data);
    if (text == nullptr) {
      throw ConfigError(concat(item.origin, ": a fingerprint is a string, not ", item.type_name()));
    }
    found.push_back(*text);
  }
  table.erase(entry);
  return found;
}

void forget_file_names(config::Value& resolved) {
  config::Value* problem = resolved.find("problem");
  if (problem != nullptr && problem->is_table()) {
    std::erase_if(std::get<config::Table>(problem->data),
                  [](const auto& item) { return item.first == "cost_file"; });
  }
  config::Value* marginals = problem == nullptr ? nullptr : problem->find("marginals");
  if (marginals == nullptr || !std::holds_alternative<config::Array>(marginals->data)) return;
  for (config::Value& marginal : std::get<config::Array>(marginals->data)) {
    if (!marginal.is_table()) continue;
    std::erase_if(std::get<config::Table>(marginal.data), [](const auto& item) {
      return item.first == "path" || item.first == "weights" || item.first == "labels";
    });
  }
}

}  // namespace

LoadedConfiguration load_configuration(const std::string& path,
                                       const std::vector<std::string>& settings) {
  config::Value root = config::parse_toml_file(path);
  LoadedConfiguration loaded;
  loaded.fingerprints = take_fingerprints(root);
  for (const std::string& setting : settings) config::apply_setting(root, setting);
  loaded.resolved.data = config::Table{};
  loaded.typed = read_configuration(root, loaded.resolved);
  return loaded;
}

std::string fingerprint_text(const data::Marginal& marginal) {
  std::ostringstream out;
  out << std::hex;
  out.width(16);
  out.fill('0');
  out << marginal.fingerprint();
  return out.str();
}

std::vector<std::string> read_fingerprints(const std::string& path) {
  config::Value root = config::parse_toml_file(path);
  return take_fingerprints(root);
}

std::string resolved_toml(const config::Value& resolved, const Problem& problem) {
  std::string text = config::to_toml(resolved, true);
  text += "\n[fingerprints]  # of the data, so that eval notices a change\nmarginals = [";
  for (const data::Marginal& marginal : problem.marginals) {
    text += concat(text.ends_with('[') ? "" : ", ", '"', fingerprint_text(marginal), '"');
  }
  return text + "]\n";
}

std::int64_t configuration_hash(const config::Value& resolved) {
  config::Value compared = resolved;
  forget_file_names(compared);
  return static_cast<std::int64_t>(hash_of(config::to_toml(compared, false)) >> 1);  // >= 0
}

std::string identity_toml(const config::Value& resolved) {
  config::Value identity = resolved;
  forget_file_names(identity);
  if (config::Value* run = identity.find("run")) {
    std::erase_if(std::get<config::Table>(run->data), [](const auto& item) {
      return item.first != "seed" && item.first != "precision" && item.first != "deterministic";
    });
  }
  return config::to_toml(identity, false);
}

std::uint64_t hash_of(const std::string& text) {
  return data::checksum(std::as_bytes(std::span(text)));
}

std::string first_difference(const std::string& stored, const std::string& mine) {
  std::istringstream a(stored);
  std::istringstream b(mine);
  std::string table;
  std::string was;
  std::string is;
  const auto next = [](std::istringstream& text, std::string& line) {
    while (std::getline(text, line)) {
      if (!line.empty()) return true;
    }
    return false;
  };
  while (next(a, was) && next(b, is)) {
    if (was != is) return concat("in ", table, " it had '", was, "', now there is '", is, "'");
    if (was.starts_with("[")) table = was;
  }
  return "its configuration has other keys";
}

void check_fingerprints(const std::vector<std::string>& stored, const Problem& problem) {
  if (stored.size() != problem.marginals.size()) {
    throw DataError(concat("the run has stored ", stored.size(), " data fingerprints for ",
                           problem.marginals.size(), " marginals; solve the problem again"));
  }
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const std::string met = fingerprint_text(problem.marginals[i]);
    if (met != stored[i]) {
      throw DataError(concat(problem.marginals[i].name(), " (marginal ", i,
                             ") has changed since the run: fingerprint ", met, ", expected ",
                             stored[i], "; restore the file or solve the problem again"));
    }
  }
}

}  // namespace kantor::launch
