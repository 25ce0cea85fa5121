#include "launch/identity.hpp"

#include <algorithm>
#include <optional>

#include "launch/data_paths.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/shortened.hpp"

namespace kantor::launch {
namespace {

using config::Value;

constexpr const char* kSolver = "solver";

std::string below(const std::string& path, const std::string& key) {
  return path.empty() ? key : concat(path, ".", key);
}

std::optional<double> number_in(const Value& value) {
  if (const auto* real = std::get_if<double>(&value.data)) return *real;
  if (const auto* whole = std::get_if<std::int64_t>(&value.data)) {
    return static_cast<double>(*whole);
  }
  return std::nullopt;
}

bool are_same(const Value& a, const Value& b) {
  const auto* list = std::get_if<config::Array>(&a.data);
  const auto* other = std::get_if<config::Array>(&b.data);
  if (list != nullptr && other != nullptr) return std::ranges::equal(*list, *other, are_same);
  const auto number = number_in(a);  // 2 is 2.0, but whole numbers are told apart beyond 2^53
  return number && a.data.index() != b.data.index()
             ? number == number_in(b)
             : config::to_toml_inline(a) == config::to_toml_inline(b);
}

bool is_list_of_tables(const Value& value) {
  const auto* list = std::get_if<config::Array>(&value.data);
  return list != nullptr && !list->empty() && std::ranges::all_of(*list, &Value::is_table);
}

std::string shown(const Value* value) {
  return value == nullptr ? "not given" : shortened(config::to_toml_inline(*value), 60);
}

/// Two values of a key, each null where it is not given.
struct Both {
  const Value* was;
  const Value* is;
  std::string path;    ///< "problem.marginals.0.scale"
  std::string listed;  ///< that of known_keys(): "problem.marginals.scale"
};

class Comparison {
 public:
  /// @param settings whose kind of problem says what defaults are.
  explicit Comparison(const Value& settings) {
    const Value* problem = settings.find("problem");
    const Value* kind = problem == nullptr ? nullptr : problem->find("kind");
    const std::string name = kind == nullptr ? "" : std::get<std::string>(kind->data);
    std::erase_if(keys_, [&](const config::Key& key) {
      return !key.of.empty() && std::ranges::find(key.of, name) == key.of.end();
    });
  }
  /// The first difference, or "".
  std::string between(Both both) const {
    fill_in(both);
    if (both.was == nullptr && both.is == nullptr) return "";
    if (both.was != nullptr && both.is != nullptr) {
      if (both.was->is_table() && both.is->is_table()) return in_tables(both);
      if (is_list_of_tables(*both.was) && is_list_of_tables(*both.is)) return in_lists(both);
      if (are_same(*both.was, *both.is)) return "";
    }
    return concat(both.path, " was ", shown(both.was), " and is ", shown(both.is));
  }

 private:
  /// A default in place of what is not given.
  void fill_in(Both& both) const {
    static const Value kEmpty{config::Table{}, "", ""};
    for (const config::Key& key : keys_) {
      if (below(key.table, key.name) != both.listed) continue;
      const Value* standard = key.standard                 ? &*key.standard
                              : key.type == config::kTable ? &kEmpty
                                                           : nullptr;
      if (both.was == nullptr) both.was = standard;
      if (both.is == nullptr) both.is = standard;
    }
  }

  std::string in_tables(const Both& both) const {
    const auto differ_in = [&](const std::string& key) {
      return between({both.was->find(key), both.is->find(key), below(both.path, key),
                      below(both.listed, key)});
    };
    for (const auto& [key, value] : std::get<config::Table>(both.is->data)) {
      if (std::string found = differ_in(key); !found.empty()) return found;
    }
    if (both.path == kSolver) return "";  // tables of other solvers
    for (const auto& [key, value] : std::get<config::Table>(both.was->data)) {
      if (std::string found = differ_in(key); !found.empty()) return found;
    }
    return "";
  }

  std::string in_lists(const Both& both) const {
    const auto& was = std::get<config::Array>(both.was->data);
    const auto& is = std::get<config::Array>(both.is->data);
    if (was.size() != is.size()) {
      return concat(both.path, " were ", was.size(), " and are ", is.size());
    }
    for (std::size_t i = 0; i < is.size(); ++i) {
      std::string found =
          between({&was[i], &is[i], below(both.path, std::to_string(i)), both.listed});
      if (!found.empty()) return found;
    }
    return "";
  }

  std::vector<config::Key> keys_ = known_keys();
};

}  // namespace

std::string identity_toml(const LoadedConfiguration& loaded) {
  Value identity = loaded.resolved;
  forget_file_names(identity);
  const auto keep = [&](const char* table, const std::vector<std::string>& kept) {
    if (Value* found = identity.find(table)) {
      std::erase_if(std::get<config::Table>(found->data), [&](const auto& item) {
        return std::ranges::find(kept, item.first) == kept.end();
      });
    }
  };
  keep("run", {"seed", "precision", "deterministic"});
  std::vector<std::string> read = {"name"};
  for (const TableEntry* table : entry_of(loaded.typed).tables) read.emplace_back(table->name);
  keep(kSolver, read);
  return config::to_toml(identity, false);
}

std::string difference_of(const std::string& stored, const std::string& mine) {
  const Value was = config::parse_toml(stored, "the settings of the run");
  const Value is = config::parse_toml(mine, "the settings");
  return Comparison(is).between({&was, &is, "", ""});
}

}  // namespace kantor::launch
