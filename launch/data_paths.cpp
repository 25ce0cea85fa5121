#include "launch/data_paths.hpp"

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <vector>

#include "runtime/core/error.hpp"

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRemedy = "name the folder that holds the data now with --data-root DIR";

/// @param visit called with each table that may name files, and the keys under which it does.
template <class Visit>
void visit_tables(config::Value& configuration, const Visit& visit) {
  config::Value* problem = configuration.find("problem");
  if (problem == nullptr || !problem->is_table()) return;
  visit(std::get<config::Table>(problem->data), std::vector<std::string_view>{"cost_file"});
  config::Value* marginals = problem->find("marginals");
  if (marginals == nullptr || !std::holds_alternative<config::Array>(marginals->data)) return;
  for (config::Value& marginal : std::get<config::Array>(marginals->data)) {
    if (!marginal.is_table()) continue;
    visit(std::get<config::Table>(marginal.data),
          std::vector<std::string_view>{"path", "weights", "labels", "shared"});
  }
}

/// @param visit called with each file name and the value that it is.
template <class Visit>
void visit_file_names(config::Value& configuration, const Visit& visit) {
  visit_tables(configuration, [&](config::Table& table, const auto& keys) {
    for (auto& [key, value] : table) {
      if (std::find(keys.begin(), keys.end(), key) == keys.end()) continue;
      const auto* name = std::get_if<std::string>(&value.data);
      if (name != nullptr && !name->empty()) visit(fs::path(*name).lexically_normal(), value);
    }
  });
}

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

/// By the longest end of its path under which it is there.
fs::path find_below(const fs::path& root, const fs::path& name) {
  std::vector<fs::path> parts;
  for (const fs::path& part : name.relative_path()) {
    if (part != "..") parts.push_back(part);
  }
  for (auto first = parts.begin(); first != parts.end(); ++first) {
    fs::path end;
    for (auto part = first; part != parts.end(); ++part) end /= *part;
    if (is_there(root / end)) return fs::absolute(root / end).lexically_normal();
  }
  throw DataError(concat("cannot find the run's data file ", name.string(), " below --data-root ",
                         root.string(), ", neither there as ", name.filename().string(),
                         " nor in a folder of the name it was in; ", kRemedy));
}

fs::path find_from_run(const fs::path& name, const config::Value& value,
                       const std::string& former_directory) {
  // Without "..", which the system would follow through a folder that is gone. A name that is
  // absolute stays what it is.
  const fs::path now = (fs::path(value.base_dir) / name).lexically_normal();
  if (is_there(now)) return now;
  const fs::path then = (fs::path(former_directory) / name).lexically_normal();
  if (!former_directory.empty() && is_there(then)) return then;
  throw DataError(
      concat("cannot find the run's data file ", now.string(), ": restore it, or ", kRemedy));
}

}  // namespace

void forget_file_names(config::Value& configuration) {
  visit_tables(configuration, [](config::Table& table, const auto& keys) {
    std::erase_if(table, [&](const auto& entry) {
      return std::find(keys.begin(), keys.end(), entry.first) != keys.end();
    });
  });
}

void shorten_file_names(config::Value& configuration, const std::string& run_directory) {
  constexpr std::ptrdiff_t kMostUp = 2;
  const fs::path run = fs::absolute(run_directory).lexically_normal();
  visit_file_names(configuration, [&](const fs::path& name, config::Value& value) {
    const fs::path from_run = name.lexically_relative(run);
    const auto num_up = std::count(from_run.begin(), from_run.end(), fs::path(".."));
    const fs::path below_root = run.relative_path();
    const auto depth = std::distance(below_root.begin(), below_root.end());
    const bool is_beside = !from_run.empty() && num_up <= std::min(kMostUp, depth - 1);
    if (is_beside) value.data = from_run.string();
  });
}

void find_data_files(config::Value& configuration, const DataPlaces& places) {
  visit_file_names(configuration, [&](const fs::path& name, config::Value& value) {
    const fs::path found = places.data_root.empty()
                               ? find_from_run(name, value, places.run_directory)
                               : find_below(places.data_root, name);
    value.data = found.string();
  });
}

}  // namespace kantor::launch
