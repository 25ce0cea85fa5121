#include "launch/configuration.hpp"

#include <filesystem>
#include <span>
#include <sstream>
#include <utility>

#include "launch/data_paths.hpp"
#include "runtime/config/toml_file.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/fingerprint.hpp"
#include "solvers/problem/stored_problem.hpp"

namespace kantor::launch {
namespace {

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

std::string resolved_toml(const config::Value& resolved, const Problem& problem,
                          const std::string& run_directory) {
  config::Value written = resolved;
  if (!run_directory.empty()) shorten_file_names(written, run_directory);
  std::string text = config::to_toml(written, true);
  text += concat("\n[", RunRecord::kTable,
                 "]  # of the data, so that eval notices a change\nmarginals = [");
  for (const Cloud& cloud : problem.clouds) {
    text += concat(text.ends_with('[') ? "" : ", ", '"',
                   data::hash_text(cloud.marginal.fingerprint()), '"');
  }
  text += "]\n";
  if (run_directory.empty()) return text;
  const std::string directory = std::filesystem::absolute(run_directory).lexically_normal();
  if (!is_utf8(directory)) return text;
  return concat(
      text, RunRecord::kDirectory, " = ", config::to_toml_inline({directory, "", ""}),
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
  const auto changed = changed_marginal(stored, problem);
  if (!changed) return "";
  const data::Marginal& marginal = problem.clouds[*changed].marginal;
  return concat(marginal.name(), " (marginal ", *changed,
                ") or its weights or labels have changed since the run: fingerprint ",
                data::hash_text(marginal.fingerprint()), ", expected ", stored[*changed]);
}

}  // namespace kantor::launch
