#include "launch/run_directory.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "launch/build_info.hpp"
#include "launch/output_directory.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/atomic_file.hpp"
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

void write_arrays(const std::string& folder, const std::vector<std::vector<double>>& arrays) {
  if (arrays.empty()) return;
  create_folder(folder);
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const std::int64_t shape[] = {static_cast<std::int64_t>(arrays[i].size())};
    data::write_npy(concat(folder, "/", i, ".npy"), arrays[i], shape);
  }
}

}  // namespace

RunDirectory::RunDirectory(const std::string& path, double patience_s)
    : path_(without_slash(path)), lock_(std::make_unique<checkpoint::RunLock>(path_, patience_s)) {}

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

void RunDirectory::copy_in(const std::string& source, const std::string& name) const {
  std::ifstream stream(source, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  if (!stream) throw IoError(concat("cannot read ", source, " to keep a copy of it"));
  write_text(name, text);
}

void RunDirectory::set_status(const Status& status) {
  step_ = status.step;
  write_text("STATUS", status_json(status));
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
  write_arrays(file("potentials"), result.potentials);
  write_arrays(file("certificate"), result.certificate_potentials);
  write_arrays(file("divergence"), result.self_potentials);
  if (!result.points.empty()) {
    const std::int64_t shape[] = {result.n.at(0), result.d.at(0)};
    data::write_npy(file("points.npy"), result.points, shape);
  }
  if (!result.model.empty()) {
    std::vector<data::NamedTensor> tensors;
    for (const Result::Tensor& tensor : result.model) {
      tensors.push_back({.name = tensor.name,
                         .shape = tensor.shape,
                         .values = tensor.values,
                         .is_float64 = tensor.is_double || facts.precision == "float64"});
    }
    data::write_safetensors(file("model.safetensors"), tensors,
                            {{"producer", "kantor " + build_info().version}});
    write_text("model.json", result.model_json);
  }
  write_text("result.json", result_json(result, facts));
}

void RunDirectory::set_failed(const std::string& reason) noexcept {
  try {
    set_status({.state = "failed", .reason = reason, .step = step_});
  } catch (...) {
  }
}

}  // namespace kantor::launch
