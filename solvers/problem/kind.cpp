#include "solvers/problem/kind.hpp"

#include <algorithm>
#include <vector>

#include "runtime/core/error.hpp"

namespace kantor {

namespace {

/// All of its keys, and those of tables below them.
std::vector<config::Key> keys_of(const KindEntry& kind) {
  config::Table ignored;
  std::vector<config::Key> keys;
  config::Fields fields(nullptr, "problem", ignored, &keys);
  ProblemConfig config;
  kind.describe(fields, config);
  return keys;
}

bool has(const KindEntry& kind, const std::string& name) {
  return std::ranges::any_of(keys_of(kind), [&](const config::Key& key) {
    return key.table == "problem" && key.name == name;
  });
}

/// Keys of kinds that are not selected.
void refuse_keys_of_others(const config::Fields& fields, const KindEntry& selected) {
  for (const KindEntry* kind : kinds()) {
    for (const config::Key& key : keys_of(*kind)) {
      if (key.table != "problem" || !fields.has(key.name.c_str())) continue;
      if (has(selected, key.name)) continue;
      std::string owners;
      for (const KindEntry* owner : kinds()) {
        if (has(*owner, key.name)) owners += concat(owners.empty() ? "" : ", ", owner->name);
      }
      throw ConfigError(concat(fields.where(key.name.c_str()), " is a key of kind ", owners,
                               ", but problem.kind is \"", selected.name, "\"; leave it out"));
    }
  }
}

/// Of all kinds: what some have alike once, with their names.
void list_keys(config::Fields& fields) {
  const auto text_of = [](const config::Key& key) {
    return concat(key.table, ".", key.name, "\n", key.type, "\n", key.range, "\n", key.meaning,
                  "\n", key.standard ? config::to_toml_inline(*key.standard) : "");
  };
  std::vector<config::Key> all;
  for (const KindEntry* kind : kinds()) {
    for (const config::Key& key : keys_of(*kind)) {
      const auto is_same = [&](const config::Key& other) { return text_of(other) == text_of(key); };
      auto known = std::ranges::find_if(all, is_same);
      if (known == all.end()) known = all.insert(known, key);
      known->of.emplace_back(kind->name);
    }
  }
  for (config::Key& key : all) {
    if (key.of.size() == kinds().size()) key.of.clear();
    fields.list(std::move(key));
  }
}

}  // namespace

const KindEntry& kind_named(const std::string& name) {
  for (const KindEntry* kind : kinds()) {
    if (name == kind->name) return *kind;
  }
  throw ConfigError(concat("unknown kind \"", name, "\""));
}

void ProblemConfig::describe(config::Fields& fields) {
  std::vector<std::string> names;
  for (const KindEntry* each : kinds()) names.emplace_back(each->name);
  fields.add_choice("kind", kind, names, "what is solved");
  if (fields.is_listing()) {
    list_keys(fields);
  } else {
    const KindEntry& selected = kind_named(kind);
    selected.describe(fields, *this);
    refuse_keys_of_others(fields, selected);
  }
  fields.add_list("marginals", marginals, "one table [[problem.marginals]] each");
}

void ProblemConfig::check() const {
  epsilon.check();
  const KindEntry& selected = kind_named(kind);
  for (std::size_t i = 0; i < marginals.size(); ++i) {
    if (marginals[i].shared.empty() || selected.takes_shared) continue;
    throw ConfigError(concat("problem.marginals.", i, ".shared is a key of kind egw, but ",
                             "problem.kind is \"", selected.name, "\"; leave it out"));
  }
  selected.check(*this);
}

void describe_cost(config::Fields& fields, const KindEntry& kind, ProblemConfig& config) {
  config.cost = kind.costs.front();
  fields.add_choice("cost", config.cost, {kind.costs.begin(), kind.costs.end()}, "c(x, y)");
}

void check_number_of_marginals(const KindEntry& kind, const ProblemConfig& config) {
  const std::size_t num = config.marginals.size();
  if (num < kind.fewest || num > kind.most) {
    throw ConfigError(concat("problem.kind = \"", kind.name, "\" needs two ",
                             kind.most > 2 ? "or more " : "", "[[problem.marginals]], but ", num,
                             num == 1 ? " is given" : " are given"));
  }
}

void check_marginals(const KindEntry& kind, const ProblemConfig& config) {
  check_number_of_marginals(kind, config);
  for (const data::MarginalConfig& marginal : config.marginals) marginal.check();
}

std::string sizes_of_clouds(const Problem& problem) {
  std::string points;
  std::string dimensions;
  for (const Cloud& cloud : problem.clouds) {
    points += concat(points.empty() ? "" : " x ", cloud.n());
    dimensions += concat(dimensions.empty() ? "" : " x ", cloud.d());
  }
  points += " points";
  if (problem.cost.file) return points;
  return concat(points, ", d = ", problem.kind->is_in_one_space ? concat(problem.d()) : dimensions);
}

}  // namespace kantor
