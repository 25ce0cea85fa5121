#include "runtime/record/record.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "runtime/core/error.hpp"
#include "runtime/core/shortened.hpp"

namespace kantor {
namespace {

using Json = nlohmann::ordered_json;
using Value = Record::Value;
using Entry = Record::Entry;

Json json_of(const Record& record);

Json json_of(const Value& value) {
  return std::visit(
      [](const auto& data) -> Json {
        using T = std::decay_t<decltype(data)>;
        if constexpr (std::is_same_v<T, Record>) {
          return json_of(data);
        } else if constexpr (std::is_same_v<T, Value::List>) {
          Json list = Json::array();
          for (const Value& each : data) list.push_back(json_of(each));
          return list;
        } else {
          return data;
        }
      },
      value.data);
}

Json json_of(const Record& record) {
  Json json = Json::object();
  for (const Entry& entry : record.entries()) json[entry.name] = json_of(entry.value);
  return json;
}

Value value_of(const Json& json);

Record record_of(const Json& json) {
  Record record;
  for (const auto& [name, value] : json.items()) record.set(name, value_of(value));
  return record;
}

Value value_of(const Json& json) {
  if (json.is_boolean()) return json.get<bool>();
  if (json.is_number_integer()) return json.get<std::int64_t>();
  if (json.is_number()) return json.get<double>();
  if (json.is_string()) return json.get<std::string>();
  if (json.is_object()) return record_of(json);
  if (json.is_null()) return std::numeric_limits<double>::quiet_NaN();
  Value::List list;
  for (const Json& each : json) list.push_back(value_of(each));
  return list;
}

std::string text_of(const Json& json, int indent) {
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

std::string find_nonfinite_in(const Value& value, const std::string& name) {
  if (const auto* number = std::get_if<double>(&value.data)) {
    if (std::isfinite(*number)) return "";
    return concat(name, " is ", std::isnan(*number) ? "NaN" : "infinite");
  }
  std::string found;
  const auto look_at = [&](const Value& part, const std::string& key) {
    if (found.empty()) found = find_nonfinite_in(part, name.empty() ? key : name + "." + key);
  };
  if (const auto* list = std::get_if<Value::List>(&value.data)) {
    for (std::size_t i = 0; i < list->size(); ++i) look_at((*list)[i], concat(i));
  } else if (const auto* record = std::get_if<Record>(&value.data)) {
    for (const Entry& entry : record->entries()) look_at(entry.value, entry.name);
  }
  return found;
}

}  // namespace

void Record::refuse(const std::string& name) const {
  const Value* met = find(name);
  if (met == nullptr) throw DataError(concat("it has no \"", name, "\""));
  throw DataError(
      concat("its \"", name, "\" is ", shortened(met->json(), 60), ", which is of another kind"));
}

Record::Entry& Record::set(const std::string& name, Value value, const char* meaning) {
  for (Entry& entry : entries_) {
    if (entry.name != name) continue;
    entry.value = std::move(value);
    return entry;
  }
  entries_.push_back({name, std::move(value), meaning});
  return entries_.back();
}

void Record::set_if_finite(const std::string& name, std::optional<double> value,
                           const char* meaning) {
  if (value && std::isfinite(*value)) set(name, *value, meaning);
}

const Record::Value* Record::find(const std::string& name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return &entry.value;
  }
  const auto dot = name.find('.');
  if (dot == std::string::npos) return nullptr;
  const Value* outer = find(name.substr(0, dot));
  const auto* record = outer == nullptr ? nullptr : std::get_if<Record>(&outer->data);
  return record == nullptr ? nullptr : record->find(name.substr(dot + 1));
}

std::string Record::find_nonfinite() const { return find_nonfinite_in(*this, ""); }

std::string Record::json(int indent) const { return text_of(json_of(*this), indent); }

std::string Record::Value::json() const { return text_of(json_of(*this), -1); }

Record Record::parse(const std::string& text) {
  constexpr int kDeepest = 64;  // what reads it calls itself
  const auto is_shallow = [&](int depth, Json::parse_event_t, Json&) {
    if (depth > kDeepest) throw DataError(concat("JSON nested deeper than ", kDeepest));
    return true;
  };
  try {
    const Json json = Json::parse(text, is_shallow);
    if (json.is_object()) return record_of(json);
  } catch (const nlohmann::json::exception& error) {
    throw DataError(error.what());
  }
  throw DataError("the text is JSON, but no object of names and values");
}

bool Record::operator==(const Record& other) const {
  return std::equal(
      entries_.begin(), entries_.end(), other.entries_.begin(), other.entries_.end(),
      [](const Entry& a, const Entry& b) { return a.name == b.name && a.value == b.value; });
}

}  // namespace kantor
