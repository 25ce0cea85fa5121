#include "runtime/config/reader.hpp"

#include <algorithm>
#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor::config {
namespace {

std::string dotted(const std::string& path, const std::string& key) {
  return path.empty() ? key : path + "." + key;
}

std::vector<std::string> split_path(const std::string& path) {
  std::vector<std::string> parts;
  std::size_t begin = 0;
  while (begin < path.size()) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    parts.push_back(path.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

Value* entry(Table& table, const std::string& key) {
  for (auto& [name, value] : table) {
    if (name == key) return &value;
  }
  return nullptr;
}

void refuse_unknown_in(const Value& table, const std::string& path,
                       const std::vector<std::string>& known) {
  for (const auto& [key, value] : std::get<Table>(table.data)) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string guess = nearest(key, known);
    throw ConfigError(concat("unknown key ", dotted(path, key), " (", value.origin, ")",
                             guess.empty() ? "" : concat(": did you mean \"", guess, "\"?"),
                             guess.empty() ? concat("; known here: ", join(known)) : ""));
  }
}

/// A list item takes its list's origin, so that the resolved tree has one for every value.
void set_origin(Value& value, const std::string& origin, const std::string& base_dir) {
  value.origin = origin;
  value.base_dir = base_dir;
  if (auto* items = std::get_if<Array>(&value.data)) {
    for (Value& item : *items) set_origin(item, origin, base_dir);
  } else if (auto* entries = std::get_if<Table>(&value.data)) {
    for (auto& [key, inner] : *entries) set_origin(inner, origin, base_dir);
  }
}

Value scalar_or_list(bool value) { return {value, "", ""}; }
Value scalar_or_list(std::int64_t value) { return {value, "", ""}; }
Value scalar_or_list(double value) { return {value, "", ""}; }
Value scalar_or_list(const std::string& value) { return {value, "", ""}; }
template <class Item>
Value scalar_or_list(const std::vector<Item>& items) {
  return make_value(items);
}

}  // namespace

Range& Range::at_least(double least) {
  return narrow(format_number(least) + " or more", [=](double x) { return x >= least; });
}
Range& Range::above(double bound) {
  return narrow("more than " + format_number(bound), [=](double x) { return x > bound; });
}
Range& Range::below(double bound) {
  return narrow("less than " + format_number(bound), [=](double x) { return x < bound; });
}
Range& Range::at_most(double most) {
  return narrow("at most " + format_number(most), [=](double x) { return x <= most; });
}
Range& Range::between(double least, double most) {
  return narrow(concat(format_number(least), " to ", format_number(most)),
                [=](double x) { return x >= least && x <= most; });
}

Range& Range::items(std::size_t fewest, std::size_t most) {
  return narrow(concat(fewest, most == fewest ? "" : concat(" to ", most), " of them"),
                numbers_.size() >= fewest && numbers_.size() <= most);
}

Range& Range::narrow(const std::string& expected, const std::function<bool(double)>& holds) {
  return narrow(expected, std::all_of(numbers_.begin(), numbers_.end(), holds));
}

Range& Range::narrow(const std::string& expected, bool holds) {
  if (Key* key = fields_.listed(key_)) {
    key->range += concat(key->range.empty() ? "" : ", ", expected);
  }
  if (holds || fields_.is_listing()) return *this;
  throw_unexpected(*entry(fields_.resolved_, key_), fields_.where(key_), expected, meaning_);
}

Fields::Fields(const Value* given, std::string path, Table& resolved, std::vector<Key>* keys)
    : given_(given), path_(std::move(path)), resolved_(resolved), keys_(keys) {
  KANTOR_CHECK(given == nullptr || given->is_table(), path_, " is ", given->type_name());
}

template <class Type, class Convert>
void Fields::add_value(const char* key, Type& field, const std::string& type, const char* meaning,
                       const Convert& convert) {
  known(key, type, meaning);
  const Value* value = given(key);
  if (value != nullptr) field = convert(*value, where(key), meaning);
  Value resolved = scalar_or_list(field);
  set_origin(resolved, value ? value->origin : "default", value ? value->base_dir : "");
  record(key, std::move(resolved));
}

void Fields::add(const char* key, bool& field, const char* meaning) {
  add_value(key, field, "true or false", meaning, as_bool);
}
Range Fields::add(const char* key, std::int64_t& field, const char* meaning) {
  add_value(key, field, "whole number", meaning, as_integer);
  return {*this, key, meaning, {static_cast<double>(field)}};
}
Range Fields::add(const char* key, double& field, const char* meaning) {
  add_value(key, field, "number", meaning, std::isfinite(field) ? as_number : as_any_number);
  return {*this, key, meaning, {field}};
}
void Fields::add(const char* key, std::string& field, const char* meaning) {
  add_value(key, field, "text", meaning, as_text);
}
Range Fields::add(const char* key, std::vector<double>& field, const char* meaning) {
  const bool is_finite = std::ranges::all_of(field, [](double x) { return std::isfinite(x); });
  add_value(key, field, "list of numbers", meaning, is_finite ? as_numbers : as_any_numbers);
  return {*this, key, meaning, field};
}
Range Fields::add(const char* key, std::vector<std::int64_t>& field, const char* meaning) {
  add_value(key, field, "list of whole numbers", meaning, as_integers);
  return {*this, key, meaning, {field.begin(), field.end()}};
}
void Fields::add(const char* key, std::vector<std::string>& field, const char* meaning) {
  add_value(key, field, "list of texts", meaning, as_texts);
}
void Fields::add_path(const char* key, std::string& field, const char* meaning) {
  add_value(key, field, "file", meaning, as_path);
}

void Fields::add_choice(const char* key, std::string& field,
                        const std::vector<std::string>& choices, const char* meaning) {
  const auto convert = [&](const Value& value, const std::string& place, const char*) {
    std::string word = as_text(value, place, concat("one of ", join(choices)).c_str());
    if (std::find(choices.begin(), choices.end(), word) == choices.end()) {
      const std::string guess = nearest(word, choices);
      throw_unexpected(value, place,
                       concat("one of ", join(choices),
                              guess.empty() ? "" : concat("; did you mean \"", guess, "\"?")),
                       meaning);
    }
    return word;
  };
  add_value(key, field, join(choices, " | "), meaning, convert);
}

const Value* Fields::raw(const char* key, const char* meaning, const char* type) {
  known(key, type, meaning);
  const Value* value = given(key);
  if (value != nullptr) record(key, *value);
  return value;
}

void Fields::resolve_raw(const char* key, Value value) {
  const Value* written = given(key);
  set_origin(value, written ? written->origin : "default", written ? written->base_dir : "");
  record(key, std::move(value));
}

bool Fields::has(const char* key) const { return given(key) != nullptr; }

std::string Fields::where(const char* key) const {
  const Value* value = given(key);
  return concat(dotted(path_, key), " (", value ? value->origin : "default", ")");
}

void Fields::refuse_unknown() const {
  if (given_ != nullptr) refuse_unknown_in(*given_, path_, known_);
}

void Fields::known(const char* key, const std::string& type, const char* meaning) {
  known_.emplace_back(key);
  if (keys_ == nullptr || listed(key) != nullptr) return;
  keys_->push_back({path_, key, type, "", meaning, std::nullopt});
}

Key* Fields::listed(const char* key) {
  if (keys_ == nullptr) return nullptr;
  const auto found = std::find_if(keys_->rbegin(), keys_->rend(), [&](const Key& each) {
    return each.table == path_ && each.name == key;
  });
  return found == keys_->rend() ? nullptr : &*found;
}

const Value* Fields::given(const char* key) const {
  return given_ == nullptr ? nullptr : given_->find(key);
}

void Fields::record(const char* key, Value value) {
  if (Key* described = listed(key); described != nullptr && !value.is_table()) {
    described->standard = value;
  }
  if (Value* earlier = entry(resolved_, key)) {
    *earlier = std::move(value);
  } else {
    resolved_.emplace_back(key, std::move(value));
  }
}

void Fields::add_table(const char* key, const char* meaning,
                       const std::function<void(Fields&)>& describe) {
  nested(key, kTable, meaning, describe);
}

void Fields::nested(const char* key, const char* type, const char* meaning,
                    const std::function<void(Fields&)>& describe) {
  known(key, type, meaning);
  const Value* value = given(key);
  if (value != nullptr && !value->is_table()) {
    throw_unexpected(*value, where(key), "a table", meaning);
  }
  Table resolved;
  Fields inner(value, dotted(path_, key), resolved, keys_);
  describe(inner);
  inner.refuse_unknown();
  record(key, {std::move(resolved), value ? value->origin : "default", ""});
}

void Fields::list_table(const char* key, const std::function<void(Fields&)>& describe) {
  Table ignored;
  Fields inner(nullptr, dotted(path_, key), ignored, keys_);
  describe(inner);
}

std::size_t Fields::list_size(const char* key, const char* meaning) {
  known(key, kTables, meaning);
  const Value* value = given(key);
  if (value == nullptr) {
    record(key, {Array{}, "default", ""});
    return 0;
  }
  const auto* items = std::get_if<Array>(&value->data);
  const auto is_table = [](const Value& item) { return item.is_table(); };
  if (items == nullptr || !std::all_of(items->begin(), items->end(), is_table)) {
    throw_unexpected(*value, where(key), concat("an array of tables, [[", dotted(path_, key), "]]"),
                     meaning);
  }
  record(key, {Array(items->size(), Value{Table{}, value->origin, ""}), value->origin, ""});
  return items->size();
}

void Fields::list_item(const char* key, std::size_t index,
                       const std::function<void(Fields&)>& describe) {
  const Value& item = std::get<Array>(given(key)->data)[index];
  Table resolved;
  Fields inner(&item, concat(dotted(path_, key), ".", index), resolved);
  describe(inner);
  inner.refuse_unknown();
  std::get<Array>(entry(resolved_, key)->data)[index] = {std::move(resolved), item.origin, ""};
}

void refuse_unknown_keys(const Value& root, const std::string& path,
                         const std::vector<std::string>& known) {
  if (const Value* table = table_at(root, path)) refuse_unknown_in(*table, path, known);
}

const Value* table_at(const Value& root, const std::string& path) {
  const Value* value = &root;
  std::string passed;
  for (const std::string& part : split_path(path)) {
    value = value->find(part);
    passed = dotted(passed, part);
    if (value == nullptr) return nullptr;
    if (!value->is_table()) {
      throw_unexpected(*value, concat(passed, " (", value->origin, ")"),
                       concat("a table, [", passed, "]"), "");
    }
  }
  return value;
}

Table& make_table_at(Value& root, const std::string& path) {
  if (!root.is_table()) root = {Table{}, "default", ""};
  Value* value = &root;
  for (const std::string& part : split_path(path)) {
    auto& table = std::get<Table>(value->data);
    Value* child = entry(table, part);
    if (child == nullptr) child = &table.emplace_back(part, Value{Table{}, "default", ""}).second;
    if (!child->is_table()) *child = {Table{}, "default", ""};
    value = child;
  }
  return std::get<Table>(value->data);
}

}  // namespace kantor::config
