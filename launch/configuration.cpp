#include "launch/configuration.hpp"

#include <algorithm>
#include <filesystem>
#include <span>
#include <sstream>
#include <utility>

#include "launch/data_paths.hpp"
#include "runtime/config/toml_file.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/fingerprint.hpp"

namespace kantor::launch {
namespace {

constexpr const char* kFingerprints = "fingerprints";
constexpr const char* kRunDirectory = "run_directory";

/// What a resolved.toml holds besides the configuration.
struct RunRecord {
  std::vector<std::string> fingerprints;
  std::string directory;  ///< that the run was written to
};

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

/// Takes [fingerprints] out of a resolved.toml, so that the solvers' schema does not know it.
RunRecord take_record(config::Value& root) {
  RunRecord record;
  const config::Value* entry = root.is_table() ? root.find(kFingerprints) : nullptr;
  if (entry == nullptr) return record;
  record.fingerprints = fingerprints_in(*entry);
  if (const config::Value* directory = entry->find(kRunDirectory)) {
    const auto* text = std::get_if<std::string>(&directory->data);
    if (text != nullptr) record.directory = *text;
  }
  std::erase_if(std::get<config::Table>(root.data),
                [](const auto& item) { return item.first == kFingerprints; });
  return record;
}

LoadedConfiguration read_loaded(const config::Value& root, const RunRecord& record) {
  LoadedConfiguration loaded;
  loaded.fingerprints = record.fingerprints;
  loaded.resolved.data = config::Table{};
  loaded.typed = read_configuration(root, loaded.resolved);
  return loaded;
}

}  // namespace

LoadedConfiguration load_configuration(const std::string& path,
                                       const std::vector<std::string>& settings) {
  auto [text, root] = config::read_toml_file(path);
  const RunRecord record = take_record(root);
  for (const std::string& setting : settings) config::apply_setting(root, setting);
  LoadedConfiguration loaded = read_loaded(root, record);
  loaded.text = std::move(text);
  return loaded;
}

LoadedConfiguration load_run_configuration(const std::string& path, const std::string& data_root) {
  config::Value root = config::parse_toml_file(path);
  const RunRecord record = take_record(root);
  find_data_files(root, {.run_directory = record.directory, .data_root = data_root});
  return read_loaded(root, record);
}

std::vector<std::string> read_fingerprints(const std::string& path) {
  config::Value root = config::parse_toml_file(path);
  return take_record(root).fingerprints;
}

std::string resolved_toml(const config::Value& resolved, const Problem& problem,
                          const std::string& run_directory) {
  config::Value written = resolved;
  if (!run_directory.empty()) shorten_file_names(written, run_directory);
  std::string text = config::to_toml(written, true);
  text += "\n[fingerprints]  # of the data, so that eval notices a change\nmarginals = [";
  for (const Cloud& cloud : problem.clouds) {
    text += concat(text.ends_with('[') ? "" : ", ", '"',
                   data::hash_text(cloud.marginal.fingerprint()), '"');
  }
  text += "]\n";
  if (run_directory.empty()) return text;
  const std::string directory = std::filesystem::absolute(run_directory).lexically_normal();
  if (!is_utf8(directory)) return text;
  return concat(
      text, kRunDirectory, " = ", config::to_toml_inline({directory, "", ""}),
      "  # when it ran: relative file names start from where it is, and then from there\n");
}

std::int64_t configuration_hash(const config::Value& resolved) {
  config::Value compared = resolved;
  forget_file_names(compared);
  return static_cast<std::int64_t>(hash_of(config::to_toml(compared, false)) >> 1);  // >= 0
}

std::uint64_t hash_of(const std::string& text) {
  return data::checksum(std::as_bytes(std::span(text)));
}

std::string changed_data(const std::vector<std::string>& stored, const Problem& problem) {
  if (stored.size() != problem.clouds.size()) {
    return concat("the run has stored ", stored.size(), " data fingerprints for ",
                  problem.clouds.size(), " marginals");
  }
  for (std::size_t i = 0; i < stored.size(); ++i) {
    const std::string met = data::hash_text(problem.clouds[i].marginal.fingerprint());
    if (met == stored[i]) continue;
    return concat(problem.clouds[i].marginal.name(), " (marginal ", i,
                  ") or its weights or labels have changed since the run: fingerprint ", met,
                  ", expected ", stored[i]);
  }
  return "";
}

}  // namespace kantor::launch
