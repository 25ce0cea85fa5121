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
#include "runtime/data/npy.hpp"
#include "runtime/data/safetensors.hpp"
#include "solvers/stored_run.hpp"

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
    checksums_.set(name, checksum_text(folder_ + "/" + name));
  }
  const Record& checksums() const { return checksums_; }

 private:
  std::string folder_;
  Record checksums_;
};

std::string find_nonfinite(const std::string& name, const std::vector<double>& values) {
  const auto bad = std::find_if(values.begin(), values.end(),
                                [](double value) { return !std::isfinite(value); });
  if (bad == values.end()) return "";
  return concat("value ", bad - values.begin(), " of ", name, " is ",
                std::isnan(*bad) ? "NaN" : "infinite");
}

/// Scalars and arrays alike. @throws NumericError.
void check_finite(const Result& result, const Record& record) {
  std::string found = record.find_nonfinite();
  const auto look_at = [&](const auto& parts) {
    for (const auto& part : parts) {
      if (found.empty()) found = find_nonfinite(part.name, part.values);
    }
  };
  look_at(result.arrays);
  look_at(result.tensors);
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
  for (const std::string& folder : {file(run_files::kPotentials), file(run_files::kCertificate),
                                    file(run_files::kSelfPotentials)}) {
    if (std::filesystem::is_directory(folder)) data::remove_asides(folder, ".npy", files);
  }
}

void RunDirectory::write_result(const Result& result, const RunFacts& facts) const {
  Record record = result_record(result, facts);
  check_finite(result, record);
  ResultFiles files(path_);
  for (const Array& array : result.arrays) {
    const std::string name = array.name + ".npy";
    if (const auto slash = name.find('/'); slash != std::string::npos) {
      create_folder(file(name.substr(0, slash)));
    }
    files.add(name, [&](const std::string& path) {
      data::write_npy(path, array.values, std::span<const std::int64_t>(array.shape));
    });
  }
  if (!result.tensors.empty()) {
    std::vector<data::NamedTensor> tensors = result.tensors;
    for (data::NamedTensor& each : tensors) each.is_float64 |= facts.precision == "float64";
    files.add(run_files::kTensors, [&](const std::string& path) {
      data::write_safetensors(path, tensors, {{"producer", "kantor " + build_info().version}});
    });
    files.add(run_files::kModel,
              [&](const std::string& path) { write_text_file(path, result.model.json()); });
  }
  if (!files.checksums().empty()) record.set("checksums", files.checksums());
  write_text(run_files::kResult, record.json() + "\n");
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
