#include "tests/launch/interrupted.hpp"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>

#include "runtime/core/error.hpp"

namespace kantor::test {
namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

/// The value of a variable in the environment of another process; "" if it has none.
std::string variable_of(const fs::path& process, const std::string& name) {
  const std::string all = '\0' + text_of(process / "environ");
  const auto at = all.find('\0' + name + '=');
  return at == std::string::npos ? "" : std::string(all.c_str() + at + name.size() + 2);
}

}  // namespace

nlohmann::ordered_json without_times(nlohmann::ordered_json result) {
  for (const char* key : {"seconds", "peak_memory_bytes", "samples_per_second", "profile"}) {
    result.erase(key);
  }
  if (result.contains("storage")) {
    for (const char* key : {"predicted_seconds_per_iteration", "seconds_per_iteration",
                            "predicted_seconds_to_store", "seconds_to_store"}) {
      result["storage"].erase(key);
    }
  }
  return result;
}

Interrupted::Words Interrupted::words(const std::string& out, const Placement& where,
                                      const Words& settings, const Words& more) {
  Words all = {"run", "problem.toml", "--out", out};
  for (const std::string& setting : settings) all.insert(all.end(), {"--set", setting});
  if (where.threads > 0) {
    all.insert(all.end(),
               {"--set", "run.backend=thread", "--set", concat("run.ranks=", where.threads)});
  }
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

ProcessOutcome Interrupted::run(const std::string& out, const Placement& where,
                                const Words& settings, const Words& more) const {
  return start_run(out, where, settings, more)->wait(kPatience_s);
}

std::unique_ptr<Process> Interrupted::start_run(const std::string& out, const Placement& where,
                                                const Words& settings, const Words& more) const {
  return start(where.processes, words(out, where, settings, more));
}

std::vector<std::int64_t> Interrupted::saved_steps(const std::string& out) const {
  std::vector<std::int64_t> steps;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder().path() / out / "checkpoints", ignored)) {
    const std::string name = entry.path().filename().string();
    if (name.ends_with(".kantor")) steps.push_back(std::stoll(name.substr(5)));
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

std::string Interrupted::checkpoint(const std::string& out, std::int64_t step) const {
  std::string digits = std::to_string(step);
  digits.insert(0, 8 - digits.size(), '0');
  return concat(out, "/checkpoints/step-", digits, ".kantor");
}

std::int64_t Interrupted::reached(const std::string& out, const std::string& phase) const {
  const std::string text = text_of(folder().path() / out / "metrics.jsonl");
  const std::string start = concat("{\"phase\":\"", phase, "\",\"step\":");
  const auto at = text.rfind(start);
  std::int64_t step = -1;
  if (at == std::string::npos) return step;
  std::from_chars(text.data() + at + start.size(), text.data() + text.size(), step);
  return step;
}

void Interrupted::expect_whole_metrics(const std::string& out, const std::string& phase,
                                       std::int64_t last) const {
  const std::string text = read(out + "/metrics.jsonl");
  EXPECT_TRUE(text.ends_with('\n'));
  std::istringstream stream(text);
  std::int64_t step = -1;
  for (std::string line; std::getline(stream, line);) {
    const auto json = nlohmann::json::parse(line, nullptr, false);
    ASSERT_TRUE(json.is_object()) << line;
    if (json.at("phase") == phase) step = json.at("step");
  }
  EXPECT_EQ(step, last);
}

std::map<std::string, std::string> Interrupted::contents(const std::string& out) const {
  std::map<std::string, std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(folder().path() / out)) {
    files[entry.path().string()] = entry.is_regular_file() ? text_of(entry.path()) : "";
  }
  return files;
}

void Interrupted::expect_same_results(const std::string& a, const std::string& b) const {
  for (const std::string name :
       {"potentials/0.npy", "potentials/1.npy", "points.npy", "model.safetensors"}) {
    const std::string first = concat(a, "/", name);
    if (!name.starts_with("potentials") && !exists(first)) continue;
    EXPECT_TRUE(read(first) == read(concat(b, "/", name))) << name << " differs";
  }
}

void Interrupted::expect_stopped(const ProcessOutcome& outcome, const std::string& out,
                                 const std::string& reason) const {
  EXPECT_FALSE(outcome.timed_out);
  EXPECT_EQ(outcome.exit_code, 75) << outcome.err;
  EXPECT_TRUE(error_lines(outcome.err).empty()) << outcome.err;
  const nlohmann::json status = json(out + "/STATUS");
  EXPECT_EQ(status.at("state"), "stopped");
  EXPECT_EQ(status.at("reason"), reason);
  const std::vector<std::int64_t> steps = saved_steps(out);
  ASSERT_FALSE(steps.empty());
  EXPECT_EQ(status.at("step"), steps.back());
  EXPECT_FALSE(exists(out + "/result.json"));
}

void Interrupted::cut(const std::string& from, const std::string& to, std::int64_t step) const {
  const fs::path copy = folder().path() / to;
  fs::copy(folder().path() / from, copy, fs::copy_options::recursive);
  for (const char* name : {"result.json", "potentials", "certificate", "points.npy",
                           "model.safetensors", "model.json"}) {
    fs::remove_all(copy / name);
  }
  for (const std::int64_t saved : saved_steps(to)) {
    if (saved > step) fs::remove(folder().path() / checkpoint(to, saved));
  }
  ASSERT_TRUE(exists(checkpoint(to, step)));
  write(to + "/STATUS", concat("{\"state\": \"running\", \"step\": ", step, "}"));
  const std::string metrics = read(to + "/metrics.jsonl");
  write(to + "/metrics.jsonl", metrics.substr(0, metrics.size() / 2) + "{\"phase\":\"tra");
}

std::map<int, pid_t> Interrupted::processes() const {
  std::map<int, pid_t> found;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/proc", ignored)) {
    pid_t pid = 0;
    const std::string name = entry.path().filename().string();
    const auto [end, failure] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (failure != std::errc() || *end != '\0') continue;
    const fs::path program = fs::read_symlink(entry.path() / "exe", ignored);
    const fs::path place = fs::read_symlink(entry.path() / "cwd", ignored);
    if (program != fs::canonical(KANTOR_BINARY) || place != fs::canonical(folder().path())) {
      continue;
    }
    const std::string rank = variable_of(entry.path(), "OMPI_COMM_WORLD_RANK");
    found[rank.empty() ? 0 : std::stoi(rank)] = pid;
  }
  return found;
}

}  // namespace kantor::test
