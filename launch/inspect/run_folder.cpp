#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>

#include "launch/configuration.hpp"
#include "launch/inspect/description.hpp"
#include "launch/json_files.hpp"
#include "launch/output_directory.hpp"
#include "launch/summary.hpp"
#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/checkpoint/run_lock.hpp"
#include "runtime/checkpoint/store.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::launch {
namespace {

namespace fs = std::filesystem;

/// Words as a shell takes them.
std::string command_text(const std::vector<std::string>& words) {
  constexpr const char* kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:,+@%";
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ' ';
    const bool is_plain = !word.empty() && word.find_first_not_of(kPlain) == std::string::npos;
    if (is_plain) {
      text += word;
      continue;
    }
    text += '\'';
    for (const char c : word) text += c == '\'' ? "'\\''" : std::string(1, c);
    text += '\'';
  }
  return text;
}

/// How to go on with an interrupted run.
std::string resume_text(const std::optional<StoredEnvironment>& environment) {
  if (!environment || environment->command_line.size() < 2) return "--resume goes on";
  std::vector<std::string> words = environment->command_line;
  if (std::find(words.begin(), words.end(), "--resume") == words.end()) {
    words.push_back("--resume");
  }
  return concat("--resume goes on: ",
                environment->backend == "mpi" || environment->backend == "nccl"
                    ? concat("mpirun -np ", environment->world_size, " ")
                    : "",
                printable(command_text(words)));
}

std::string state_text(const fs::path& folder, const Status& status,
                       const std::optional<StoredEnvironment>& environment) {
  const bool is_held = checkpoint::RunLock::is_held(folder.string());
  const std::string reason = status.reason.empty() ? "" : printable(status.reason);
  const std::string process =
      concat("pid ", status.pid, " on host ", printable(status.host), " is alive");
  if (status.state == "done") return concat("done, step ", status.step);
  if (status.state == "not converged") {
    return concat("finished, but not converged, step ", status.step);
  }
  if (is_held && status.state == "running") {
    return concat("running (", process, "), step ", status.step);
  }
  if (is_held) return concat("a process holds it (its LOCK says which): it is starting or ending");
  if (status.state == "running") {
    return concat("dead: was killed after the save of step ", status.step, "; ",
                  resume_text(environment));
  }
  if (status.state == "stopped") {
    return concat("stopped at step ", status.step, " by ", reason, "; ", resume_text(environment));
  }
  if (status.state == "failed") return concat("failed: ", reason);
  return "";
}

std::string text_of(const fs::path& path) { return read_text_file(path.string()); }

/// The end of a long file.
std::string tail_of(const fs::path& path) {
  constexpr std::streamoff kBytes = 65536;
  std::error_code ignored;
  if (!fs::is_regular_file(path, ignored)) return "";
  std::ifstream stream(path, std::ios::binary | std::ios::ate);
  if (!stream) return "";
  const std::streamoff size = stream.tellg();
  stream.seekg(std::max<std::streamoff>(0, size - kBytes));
  std::string text(static_cast<std::size_t>(std::min(size, kBytes)), '\0');
  stream.read(text.data(), static_cast<std::streamsize>(text.size()));
  return text;
}

std::string sizes_text(const std::vector<std::int64_t>& sizes) {
  std::string text;
  for (const std::int64_t size : sizes) text += concat(text.empty() ? "" : " x ", size);
  return text;
}

void describe_result(const Record& result, std::vector<std::string>& lines) {
  using Sizes = std::vector<std::int64_t>;
  const auto text = [&](const char* name) { return result.get<std::string>(name); };
  const Sizes dims = result.get<Sizes>("d");
  const double share = result.find_as<double>("epsilon_relative").value_or(std::nan(""));
  lines.push_back(labelled(
      "problem", concat(text("kind"), ": ", sizes_text(result.get<Sizes>("n")), " points, ",
                        dims.empty() ? "" : concat("d = ", dims.front(), ", "), "cost ",
                        text("cost"), ", epsilon ", result.number("epsilon"),
                        std::isfinite(share) ? concat(" (", share, " of the mean cost)") : "")));
  const auto ranks = result.get<std::int64_t>("world_size");
  lines.push_back(labelled(
      "solver", concat(text("solver"), ", ", ranks, ranks == 1 ? " rank" : " ranks", ", backend ",
                       text("backend"), ", ", text("device"), ", ", text("precision"))));
  for (const std::string& line : closing_lines(result)) lines.push_back(line);
}

/// Whether the files of results are those that were written.
void describe_files(const std::string& folder, const Record& result, Description& description) {
  try {
    const std::size_t count = check_result_files(folder, result);
    if (count == 0) return;
    description.lines.push_back(
        labelled("results", concat(count, " files, whole by their checksums")));
  } catch (const DataError& error) {
    description.lines.push_back(labelled("results", concat("DAMAGED: ", printable(error.what()))));
    description.damage = error.what();
  }
}

/// The plan of a run without a result, as far as its configuration can be read.
void describe_plan_of_run(const fs::path& folder,
                          const std::optional<StoredEnvironment>& environment,
                          Description& description) {
  auto& lines = description.lines;
  try {
    const Configuration typed =
        load_configuration((folder / run_files::kResolved).string(), {}).typed;
    lines.push_back(labelled("problem", concat(typed.problem.kind, ", cost ", typed.problem.cost)));
    for (std::size_t i = 0; i < typed.problem.marginals.size(); ++i) {
      const data::MarginalConfig& marginal = typed.problem.marginals[i];
      lines.push_back(
          labelled(concat("marginal ", i),
                   printable(marginal.generator      ? "generator " + marginal.generator->name
                             : marginal.path.empty() ? "of " + typed.problem.cost_file
                                                     : marginal.path)));
    }
    lines.push_back(labelled("solver", concat(typed.solver, ", ", typed.run.precision)));
  } catch (const Error& error) {
    lines.push_back(labelled("problem", "unknown"));
    if (has_file(folder / run_files::kResolved)) description.damage = error.what();
  }
  if (!environment) return;
  lines.push_back(labelled(
      "ranks",
      concat(environment->world_size, " x ", environment->threads,
             environment->threads == 1 ? " thread" : " threads", ", backend ", environment->backend,
             environment->hosts.empty() ? "" : ", rank 0 on " + environment->hosts[0])));
}

/// "STATUS, log.txt, potentials/ (2), ..", without what has lines of its own.
std::string files_text(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure)) {
    std::string name = printable(entry.path().filename().string());
    if (name == "checkpoints" || name.starts_with("LOCK")) continue;
    std::error_code ignored;
    if (fs::is_directory(entry.path(), ignored)) {
      const auto files = fs::directory_iterator(entry.path(), ignored);
      name += concat("/ (", ignored ? 0 : std::distance(files, fs::directory_iterator()), ")");
    }
    names.push_back(name);
  }
  if (failure) throw IoError(concat("cannot read ", folder.string(), ": ", failure.message()));
  std::sort(names.begin(), names.end());
  constexpr std::size_t kMostNames = 24;
  const std::size_t num_hidden = names.size() > kMostNames ? names.size() - kMostNames : 0;
  names.resize(names.size() - num_hidden);
  return join(names) + (num_hidden > 0 ? concat(", and ", num_hidden, " more") : "");
}

}  // namespace

std::vector<std::string> describe_checkpoints(const std::string& folder) {
  constexpr std::size_t kMostShown = 5;
  std::vector<std::pair<std::int64_t, fs::path>> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const auto step = checkpoint::step_of(entry.path().filename().string());
    if (step) found.emplace_back(*step, entry.path());
  }
  std::sort(found.rbegin(), found.rend());
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < std::min(found.size(), kMostShown); ++i) {
    const auto& [step, path] = found[i];
    std::string text = concat("step ", step, ": ");
    try {
      data::FileSystem files;
      checkpoint::read_outline(path.string(), files);
      text += concat("valid, ", format_bytes(static_cast<double>(fs::file_size(path, ignored))));
    } catch (const Error& error) {
      text += concat("DAMAGED: ", printable(error.what()));
    }
    lines.push_back(labelled(i == 0 ? "checkpoints" : "", text));
  }
  if (found.size() > kMostShown) {
    lines.push_back(labelled("", concat("and ", found.size() - kMostShown, " older")));
  }
  return lines;
}

Description describe_run_directory(const std::string& path) {
  const fs::path folder(path);
  const std::string status_text = text_of(folder / "STATUS");
  Status status = parse_status(status_text);
  if (status_text.empty()) status.state = "running";  // claimed, and then nothing was written
  const auto environment = parse_environment(text_of(folder / "environment.json"));

  Description description;
  auto& lines = description.lines;
  const std::string state = state_text(folder, status, environment);
  lines.push_back(concat("run ", path, ": ", state.empty() ? "its STATUS is damaged" : state));
  if (state.empty()) description.damage = concat((folder / "STATUS").string(), " is damaged");

  const fs::path result_path = folder / run_files::kResult;
  if (const auto result = parse_result(text_of(result_path))) {
    describe_result(*result, lines);
    describe_files(path, *result, description);
  } else {
    describe_plan_of_run(folder, environment, description);
    if (has_file(result_path)) description.damage = concat(result_path.string(), " is damaged");
  }
  const std::string metrics = last_metrics(tail_of(folder / "metrics.jsonl"));
  if (!metrics.empty()) lines.push_back(labelled("last metrics", printable(metrics)));
  for (std::string& line : describe_checkpoints((folder / "checkpoints").string())) {
    lines.push_back(std::move(line));
  }
  lines.push_back(labelled("files", files_text(folder)));
  return description;
}

}  // namespace kantor::launch
