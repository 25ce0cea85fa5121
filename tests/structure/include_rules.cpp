#include "tests/structure/include_rules.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <sstream>
#include <string_view>

#include "runtime/core/error.hpp"

namespace kantor::test {
namespace {

using std::string_view;

/// From the ground up: a folder may include itself and those before it.
constexpr std::array<string_view, 4> kFloors = {"runtime/", "distributed/", "solvers/", "launch/"};

/// The rooms of the third floor: a folder may include itself and those of lower ranks. What they
/// all speak of stands beside the folders, and may speak of problems; the registry knows them all.
struct Room {
  string_view folder;
  int rank;
};
constexpr int kShared = 1;
constexpr int kTop = 7;
constexpr std::array<Room, 13> kRooms = {{{"solvers/device/", 0},
                                          {"solvers/problem/", kShared},
                                          {"solvers/eot/", 2},
                                          {"solvers/sinkhorn/", 3},
                                          {"solvers/neural/", 4},
                                          {"solvers/progot/", 4},
                                          {"solvers/egw/", 5},
                                          {"solvers/mot/", 5},
                                          {"solvers/scones/", 5},
                                          {"solvers/unot/", 5},
                                          {"solvers/mgw/", 6},
                                          {"solvers/registry.", kTop},
                                          {"solvers/solver_list.", kTop}}};

/// Headers that begin with one of `headers` may stand only in files that begin with one of
/// `places`.
struct Restriction {
  std::vector<string_view> headers;
  std::vector<string_view> places;
};

const std::vector<Restriction>& restrictions() {
  static const std::vector<Restriction> all = {
      {{"mpi.h"}, {"distributed/mpi/", "tests/"}},
      {{"nccl"}, {"distributed/nccl/", "tests/support/fake_gpu/"}},
      {{"boost/"}, {"runtime/checkpoint/"}},
      {{"CLI/"}, {"launch/"}},
      {{"toml++/", "toml.hpp"}, {"runtime/config/"}},
  };
  return all;
}

const std::vector<string_view> kTorch = {"torch/", "ATen/", "c10/"};
const std::vector<string_view> kTorchFreeFolders = {
    "runtime/",         "distributed/communicator", "distributed/self/",
    "distributed/mpi/", "distributed/thread/",      "distributed/nccl/"};
/// Slow to compile, so kept out of what others include.
const std::vector<string_view> kHeavy = {"toml++/", "toml.hpp", "nlohmann/",
                                         "spdlog/", "CLI/",     "zlib.h"};
const std::vector<string_view> kCudaRuntime = {"cuda"};
const std::vector<string_view> kCudaPlaces = {"distributed/nccl/", "runtime/core/device"};

bool begins_with_any(string_view text, const std::vector<string_view>& beginnings) {
  return std::any_of(beginnings.begin(), beginnings.end(),
                     [&](string_view beginning) { return text.starts_with(beginning); });
}

bool is_header(string_view path) {
  return path.ends_with(".hpp") || path.ends_with(".h") || path.ends_with(".cuh");
}
bool is_cuda(string_view path) { return path.ends_with(".cu") || path.ends_with(".cuh"); }

std::optional<std::size_t> floor_of(string_view path) {
  for (std::size_t i = 0; i < kFloors.size(); ++i) {
    if (path.starts_with(kFloors[i])) return i;
  }
  return std::nullopt;
}

/// The folder of a solver's file, and how high it is.
std::optional<Room> room_of(string_view path) {
  if (!path.starts_with("solvers/")) return std::nullopt;
  for (const Room& room : kRooms) {
    if (path.starts_with(room.folder)) return room;
  }
  return Room{"solvers/", kShared};
}

string_view without_blanks(string_view text) {
  const auto begin = text.find_first_not_of(" \t");
  return begin == string_view::npos ? "" : text.substr(begin);
}

/// What stands behind #include, with its brackets or quotes; nothing for any other line.
std::optional<string_view> included(string_view line) {
  line = without_blanks(line);
  if (!line.starts_with('#')) return std::nullopt;
  line = without_blanks(line.substr(1));
  if (!line.starts_with("include")) return std::nullopt;
  return without_blanks(line.substr(string_view("include").size()));
}

/// Why a header may not be included, or "".
std::string broken_floor_plan(string_view path, string_view header) {
  const auto source_floor = floor_of(path);
  const auto header_floor = floor_of(header);
  const bool is_test = header.starts_with("tests/") || header.starts_with("experiments/");
  if (!header_floor && !is_test) return "write it from the root of the repository";
  if (!source_floor) return "";  // tests and experiments may include everything of ours
  if (is_test) return "what is shipped may not include tests or experiments";
  if (*header_floor > *source_floor) return "goes up the floor plan";
  const auto from = room_of(path);
  const auto to = room_of(header);
  if (!from || !to || from->folder == to->folder || to->rank < from->rank) return "";
  if (to->rank > from->rank) return concat(to->folder, " stands above ", from->folder);
  if (to->rank != kShared) return concat(to->folder, " is no part of ", from->folder);
  return "";
}

std::string broken_restriction(string_view path, string_view header) {
  for (const auto& [headers, places] : restrictions()) {
    if (!begins_with_any(header, headers) || begins_with_any(path, places)) continue;
    return concat("belongs only in ", places.front());
  }
  if (!floor_of(path)) return "";  // the rest is about what is shipped
  const bool is_torch = begins_with_any(header, kTorch);
  if (is_torch && begins_with_any(path, kTorchFreeFolders)) return "this part is torch-free";
  if (is_torch && is_cuda(path)) return "CUDA files see no torch header";
  if (is_torch && is_header(path) && header != "ATen/core/Tensor.h") {
    return "a header of ours includes no torch header but ATen/core/Tensor.h";
  }
  if (is_header(path) && begins_with_any(header, kHeavy)) {
    return "heavy headers stay out of headers of ours";
  }
  if (begins_with_any(header, kCudaRuntime) && !is_cuda(path) &&
      !begins_with_any(path, kCudaPlaces)) {
    return "CUDA runtime headers belong in .cu files";
  }
  return "";
}

std::string broken_rule(string_view path, string_view include) {
  const char close = include.starts_with('<') ? '>' : '"';
  const auto end = include.find(close, 1);
  if (include.empty() || (include[0] != '<' && include[0] != '"') || end == string_view::npos) {
    return "cannot be read: expected <header> or \"header\"";
  }
  const string_view header = include.substr(1, end - 1);
  if (header.find("..") != string_view::npos) return "write it from the root of the repository";
  const bool is_ours = include[0] == '"' || floor_of(header).has_value();
  const std::string reason = broken_restriction(path, header);
  return reason.empty() && is_ours ? broken_floor_plan(path, header) : reason;
}

}  // namespace

std::vector<std::string> broken_include_rules(const std::string& path, const std::string& text) {
  std::vector<std::string> broken;
  std::istringstream lines(text);
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    const auto include = included(line);
    if (!include) continue;
    const std::string reason = broken_rule(path, *include);
    if (!reason.empty()) {
      broken.push_back(concat(path, ":", number, ": #include ", *include, " ", reason));
    }
  }
  return broken;
}

bool is_source_file(const std::string& path) {
  static constexpr std::array<string_view, 9> kEndings = {".hpp", ".cpp", ".cu",  ".cuh", ".h",
                                                          ".c",   ".cc",  ".inl", ".hxx"};
  return std::any_of(kEndings.begin(), kEndings.end(),
                     [&](string_view ending) { return path.ends_with(ending); });
}

}  // namespace kantor::test
