#include "solvers/stored_run.hpp"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <initializer_list>
#include <numeric>

#include "runtime/core/error.hpp"
#include "runtime/core/text_file.hpp"
#include "runtime/data/data_file.hpp"
#include "runtime/data/fingerprint.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/row_sources.hpp"

namespace kantor {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRemedy = "; restore it, or solve the problem again in another --out";

void check_finite(const std::vector<double>& values, const std::string& what) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isfinite(values[i])) continue;
    throw DataError(concat(what, " is damaged: value ", i, " is ", values[i], kRemedy));
  }
}

/// Nothing if there is no such file.
void read_array(const std::string& folder, const std::string& name, StoredRun& run) {
  const std::string path = file_of(folder, name + ".npy");
  if (!has_file(path)) return;
  Array array{.name = name, .shape = {}, .values = {}};
  if (name == run_files::kPoints || name == run_files::kAlignment) {
    const auto source = data::open_npy(path);
    array.shape = {source->num_rows(), source->num_dims()};
    std::vector<std::int64_t> rows(static_cast<std::size_t>(source->num_rows()));
    std::iota(rows.begin(), rows.end(), 0);
    array.values.resize(rows.size() * static_cast<std::size_t>(source->num_dims()));
    source->read(rows, array.values.data());
  } else {
    array.values = data::read_npy_vector(path);
    array.shape = {std::ssize(array.values)};
  }
  check_finite(array.values, path);
  run.arrays.push_back(std::move(array));
}

void read_model(const std::string& folder, StoredRun& run) {
  const std::string description = file_of(folder, run_files::kModel);
  if (!has_file(description)) return;
  try {
    run.model = Record::parse(read_whole_text(description));
  } catch (const DataError& error) {
    throw DataError(concat(description, " is damaged: ", error.what(), kRemedy));
  }
  const std::string path = file_of(folder, run_files::kTensors);
  run.tensors = data::read_safetensors(path);
  for (const data::NamedTensor& tensor : run.tensors) {
    check_finite(tensor.values, concat(path, ": tensor ", tensor.name));
  }
}

template <class T>
bool all_are(const Record& record, std::initializer_list<const char*> names, bool must_exist) {
  return std::all_of(names.begin(), names.end(), [&](const char* name) {
    return record.contains(name) ? record.find_as<T>(name).has_value() : !must_exist;
  });
}

bool is_result(const Record& record) {
  using Sizes = std::vector<std::int64_t>;
  return all_are<std::string>(record, {"kind", "solver", "cost", "backend", "device", "precision"},
                              true) &&
         all_are<double>(record, {"epsilon", "iterations", "world_size", "seconds.total"}, true) &&
         all_are<Sizes>(record, {"n", "d"}, true) &&
         all_are<double>(record,
                         {"epsilon_relative", "objective", "transport_cost", "kl", "dual_value",
                          "reference.value"},
                         false) &&
         all_are<bool>(record, {"converged"}, false) &&
         all_are<Record>(record, {"reference", "checksums"}, false);
}

}  // namespace

std::string file_of(const std::string& folder, const std::string& name) {
  return (fs::path(folder) / name).string();
}

bool has_file(const std::string& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::optional<Record> parse_result(const std::string& text) {
  try {
    Record record = Record::parse(text);
    if (is_result(record)) return record;
  } catch (const DataError&) {  // no JSON
  }
  return std::nullopt;
}

Record read_result(const std::string& folder) {
  const std::string path = file_of(folder, run_files::kResult);
  auto result = parse_result(has_file(path) ? read_whole_text(path) : "");
  if (result) return *std::move(result);
  throw DataError(concat(path, " is damaged (not the result of a run); restore it, or remove it ",
                         "and let kantor run --resume write it anew"));
}

std::string checksum_text(const std::string& path) {
  return data::hash_text(data::checksum(data::DataFile(path).bytes()));
}

std::size_t check_result_files(const std::string& folder, const Record& result) {
  const Record checksums = result.find_as<Record>("checksums").value_or(Record());
  for (const Record::Entry& file : checksums.entries()) {
    const std::string path = file_of(folder, file.name);
    if (fs::path(file.name).is_absolute() || file.name.find("..") != std::string::npos) {
      throw DataError(concat(file_of(folder, run_files::kResult),
                             " names a file out of the run: ", file.name, kRemedy));
    }
    if (!has_file(path)) throw DataError(concat("result file ", path, " is missing", kRemedy));
    const std::string met = checksum_text(path);
    const auto checksum = file.value.as<std::string>();
    if (met == checksum) continue;
    throw DataError(concat(path, " is damaged or of another run: its checksum is ", met,
                           ", result.json has ", file.value.json(), kRemedy));
  }
  return checksums.entries().size();
}

const Array* StoredRun::find(const std::string& name) const {
  const auto found = std::find_if(arrays.begin(), arrays.end(),
                                  [&](const Array& array) { return array.name == name; });
  return found == arrays.end() ? nullptr : &*found;
}

const std::vector<double>& StoredRun::array(const std::string& name,
                                            const std::vector<std::int64_t>& shape) const {
  const Array* found = find(name);
  if (found == nullptr) throw DataError(concat(name, ".npy of the run is missing", kRemedy));
  std::size_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::size_t>(size);
  if (found->shape == shape && found->values.size() == count) return found->values;
  throw DataError(concat(name, ".npy of the run has the shape ", Record::Value(found->shape).json(),
                         "; expected ", Record::Value(shape).json(), kRemedy));
}

StoredRun read_stored_run(const std::string& folder, const Record& result) {
  check_result_files(folder, result);
  StoredRun run;
  const std::size_t num_marginals = result.get<std::vector<std::int64_t>>("n").size();
  for (const char* inner : {run_files::kPotentials, run_files::kSelfPotentials}) {
    for (std::size_t k = 0; k < num_marginals; ++k) {
      read_array(folder, concat(inner, "/", k), run);
    }
  }
  read_array(folder, run_files::kPoints, run);
  read_array(folder, run_files::kAlignment, run);
  read_model(folder, run);
  return run;
}

}  // namespace kantor
