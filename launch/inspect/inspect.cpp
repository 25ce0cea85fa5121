#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>

#include "launch/configuration.hpp"
#include "launch/inspect/description.hpp"
#include "launch/summary.hpp"
#include "launch/verbs.hpp"
#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/checkpoint/describe.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"
#include "runtime/data/npy.hpp"
#include "runtime/data/row_sources.hpp"

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;

bool is_checkpoint(const fs::path& path) {
  if (path.extension() == ".kantor") return true;
  std::string start(5, '\0');
  std::ifstream(path, std::ios::binary).read(start.data(), std::ssize(start));
  return start == "\x89KANT";
}

Description describe_checkpoint(const std::string& path) {
  constexpr std::size_t kMostLines = 40;
  Description description{.lines = checkpoint::describe(path), .damage = ""};
  auto& lines = description.lines;
  if (lines.front().ends_with(": not valid")) {
    data::FileSystem files;
    checkpoint::read_outline(path, files);  // throws what describe() met
  }
  if (lines.size() > kMostLines) {
    const std::size_t num_hidden = lines.size() - kMostLines;
    lines.resize(kMostLines);
    lines.push_back(concat("  .. and ", num_hidden, " more lines"));
  }
  return description;
}

Description describe_folder(const std::string& path) {
  const fs::path folder(path);
  std::error_code ignored;
  for (const char* name : {"STATUS", "resolved.toml", "result.json"}) {
    if (fs::exists(folder / name, ignored)) return describe_run_directory(path);
  }
  Description description{.lines = describe_checkpoints(path), .damage = ""};
  if (!description.lines.empty()) {
    description.lines.insert(description.lines.begin(), concat("folder ", path));
    return description;
  }
  throw UsageError(concat(path, " is a folder, but no run directory (no STATUS, resolved.toml or ",
                          "checkpoint in it); name a run directory or a file"));
}

Description describe_path(const std::string& path) {
  std::error_code failure;
  const fs::file_status status = fs::status(path, failure);
  if (status.type() == fs::file_type::not_found || failure) {
    throw UsageError(concat("cannot inspect ", path, ": ",
                            failure ? failure.message() : "no such file or folder"));
  }
  if (fs::is_directory(status)) return describe_folder(path);
  if (!fs::is_regular_file(status)) {
    throw UsageError(concat("cannot inspect ", path, ": neither a regular file nor a folder"));
  }
  if (fs::path(path).extension() == ".toml") return describe_problem(path);
  return is_checkpoint(path) ? describe_checkpoint(path) : describe_data_file(path);
}

}  // namespace

std::string printable(std::string text) {
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') c = ' ';
  }
  return text;
}

Description describe_problem(const std::string& path) {
  const Configuration typed = load_configuration(path, {}).typed;
  const ProblemConfig& problem = typed.problem;
  Description description;
  auto& lines = description.lines;
  lines.push_back(
      concat("problem ", path, ": ", problem.kind, ", cost ", problem.cost, ", epsilon ",
             problem.epsilon.relative.empty()
                 ? concat(problem.epsilon.value)
                 : concat(problem.epsilon.scale, " of the ", problem.epsilon.relative,
                          problem.epsilon.relative == "mean" ? "" : " deviation", " of the cost")));
  if (!problem.cost_file.empty()) {
    const auto costs = data::open_npy(problem.cost_file);
    lines.push_back(labelled("costs", concat(printable(problem.cost_file), ": ", costs->num_rows(),
                                             " x ", costs->num_dims())));
  }
  for (std::size_t i = 0; i < problem.marginals.size() && problem.cost_file.empty(); ++i) {
    const data::Marginal marginal = data::load_marginal(problem.marginals[i]);
    const double numbers = static_cast<double>(marginal.n()) * static_cast<double>(marginal.d());
    lines.push_back(
        labelled(concat("marginal ", i),
                 concat(printable(marginal.name()), ": n = ", marginal.n(), ", d = ", marginal.d(),
                        ", ", marginal.is_weighted() ? "weighted" : "uniform", ", ",
                        format_bytes(numbers * (typed.run.is_double() ? 8 : 4)), " as ",
                        typed.run.precision)));
  }
  lines.push_back(labelled("solver", concat(typed.solver, ", backend ", typed.run.backend)));
  lines.push_back(labelled("the rest", concat("kantor run ", path, " --dry-run")));
  return description;
}

int inspect(const InspectArguments& arguments) {
  const Description description = describe_path(arguments.path);
  for (const std::string& line : description.lines) std::cout << line << '\n';
  std::cout << std::flush;
  if (!description.damage.empty()) {
    throw DataError(concat(description.damage, "; what is above could still be read"));
  }
  return 0;
}

}  // namespace kantor::launch
