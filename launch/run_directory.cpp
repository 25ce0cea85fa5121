#include "launch/run_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <filesystem>
#include <system_error>
#include <utility>

#include "launch/build_info.hpp"
#include "launch/configuration.hpp"
#include "launch/output_directory.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/shortened.hpp"
#include "runtime/data/atomic_file.hpp"
#include "runtime/data/data_file.hpp"
#include "runtime/data/fingerprint.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/safetensors.hpp"

namespace kantor::launch {
namespace {

void create_folder(const std::string& path) {
  if (mkdir(path.c_str(), 0777) != 0 && errno != EEXIST) {
    throw IoError(concat("cannot create ", path, ": ", std::generic_category().message(errno)));
  }
}

std::string without_slash(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return path;
}

/// A file of results: written by `write(path)`, then its checksum taken.
class ResultFiles {
 public:
  explicit ResultFiles(const std::string& folder) : folder_(folder) {}

  template <class Write>
  void add(const std::string& name, const Write& write) {
    write(folder_ + "/" + name);
    checksums_.emplace_back(name, checksum_text(folder_ + "/" + name));
  }
  void add_arrays(const std::string& name, const std::vector<std::vector<double>>& arrays) {
    if (!arrays.empty()) create_folder(folder_ + "/" + name);
    for (std::size_t i = 0; i < arrays.size(); ++i) {
      const std::int64_t shape[] = {static_cast<std::int64_t>(arrays[i].size())};
      add(concat(name, "/", i, ".npy"),
          [&](const std::string& path) { data::write_npy(path, arrays[i], shape); });
    }
  }
  const Checksums& checksums() const { return checksums_; }

 private:
  std::string folder_;
  Checksums checksums_;
};

std::string find_nonfinite(const std::string& name, const std::vector<double>& values) {
  const auto bad = std::find_if(values.begin(), values.end(),
                                [](double value) { return !std::isfinite(value); });
  if (bad == values.end()) return "";
  return concat("value ", bad - values.begin(), " of ", name, " is ",
                std::isnan(*bad) ? "NaN" : "infinite");
}

/// Scalars and arrays alike. @throws NumericError.
void check_finite(const Result& result, const RunFacts& facts) {
  std::string found = find_nonfinite(result, facts);
  const auto look_at = [&](const std::string& name, const std::vector<double>& values) {
    if (found.empty()) found = find_nonfinite(name, values);
  };
  for (const auto& [name, arrays] : {std::pair{"potentials", &result.potentials},
                                     std::pair{"certificate", &result.certificate_potentials},
                                     std::pair{"divergence", &result.self_potentials}}) {
    for (std::size_t i = 0; i < arrays->size(); ++i) look_at(concat(name, "/", i), (*arrays)[i]);
  }
  look_at("points", result.points);
  for (const Result::Tensor& tensor : result.model) look_at(tensor.name, tensor.values);
  if (found.empty()) return;
  throw NumericError(concat("the result is not finite, and nothing of it is kept: ", found,
                            "; raise problem.epsilon, use run.precision = \"float64\", or look "
                            "for extreme numbers in points, costs and weights"));
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path, double wait_s)
    : path_(without_slash(path)), lock_(std::make_unique<checkpoint::RunLock>(path_, wait_s)) {}

RunDirectory::RunDirectory(const std::string& path) : path_(without_slash(path)) {
  create_output_directory(path_);
  lock_ = std::make_unique<checkpoint::RunLock>(path_);
  const int claim = open(file("STATUS").c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (claim < 0 && errno == EEXIST) {
    throw ConfigError(concat("output directory ", path_, " was taken by another run just now; ",
                             "choose another with --out"));
  }
  if (claim < 0 || close(claim) != 0) {
    throw IoError(concat("cannot write ", file("STATUS"), ": ",
                         std::generic_category().message(errno), "; choose another with --out"));
  }
}

void RunDirectory::write_text(const std::string& name, const std::string& text) const {
  write_text_file(file(name), text);
}

void RunDirectory::set_status(const Status& status) {
  step_ = status.step;
  const std::string text = status_json(status);
  try {
    write_text("STATUS", text);
  } catch (const IoError&) {  // a full disk must not leave a dead run "running"
    if (!data::write_over(file("STATUS"), text)) throw;
  }
}

void RunDirectory::remove_leftovers() const {
  data::FileSystem files;
  for (const char* ending : {"STATUS", ".toml", ".json", ".safetensors", ".npy"}) {
    data::remove_asides(path_, ending, files);
  }
  for (const std::string& folder : {file("potentials"), file("certificate"), file("divergence")}) {
    if (std::filesystem::is_directory(folder)) data::remove_asides(folder, ".npy", files);
  }
}

void RunDirectory::write_result(const Result& result, const RunFacts& facts) const {
  check_finite(result, facts);
  ResultFiles files(path_);
  files.add_arrays("potentials", result.potentials);
  files.add_arrays("certificate", result.certificate_potentials);
  files.add_arrays("divergence", result.self_potentials);
  if (!result.points.empty()) {
    const std::int64_t shape[] = {result.n.at(0), result.d.at(0)};
    files.add("points.npy",
              [&](const std::string& path) { data::write_npy(path, result.points, shape); });
  }
  if (!result.model.empty()) {
    std::vector<data::NamedTensor> tensors;
    for (const Result::Tensor& tensor : result.model) {
      tensors.push_back({.name = tensor.name,
                         .shape = tensor.shape,
                         .values = tensor.values,
                         .is_float64 = tensor.is_double || facts.precision == "float64"});
    }
    files.add("model.safetensors", [&](const std::string& path) {
      data::write_safetensors(path, tensors, {{"producer", "kantor " + build_info().version}});
    });
    files.add("model.json",
              [&](const std::string& path) { write_text_file(path, result.model_json); });
  }
  write_text("result.json", result_json(result, facts, files.checksums()));
}

std::string checksum_text(const std::string& path) {
  return hash_text(data::checksum(data::DataFile(path).bytes()));
}

void mark_failed(const std::string& path, const std::string& reason) noexcept {
  try {
    const std::string file = path + "/STATUS";
    Status status = parse_status(read_text_file(file));
    status.state = "failed";
    status.reason = shortened(reason, 1000);
    write_text_file(file, status_json(status));
  } catch (...) {
  }
}

void RunDirectory::set_failed(const std::string& reason) noexcept {
  try {
    set_status({.state = "failed", .reason = shortened(reason, 1000), .step = step_});
  } catch (...) {
  }
}

}  // namespace kantor::launch
