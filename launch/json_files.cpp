#include "launch/json_files.hpp"

#include <unistd.h>

#include <cmath>

#include "launch/build_info.hpp"
#include "launch/torch_setup.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"

namespace kantor::launch {
namespace {

/// The common keys, each behind those of the solver's own that are to come before it.
class ResultKeys {
 public:
  explicit ResultKeys(const Record& own) : own_(own) {}

  void put(const char* name, Record::Value value) {
    put_own_before(name);
    record_.set(name, std::move(value));
  }
  template <class T>
  void put(const char* name, const std::optional<T>& value) {
    put_own_before(name);
    record_.set_if(name, value);
  }
  void put_own_before(const std::string& name) {
    for (const Record::Entry& entry : own_.entries()) {
      if (entry.before == name) record_.set(entry.name, entry.value);
    }
  }
  Record& record() { return record_; }

 private:
  const Record& own_;
  Record record_;
};

Record record_of(const Reference& reference) {
  Record record;
  record.set("value", reference.value);
  record.set("source", reference.source);
  return record;
}

Record record_of(const Seconds& seconds) {
  Record record;
  record.set("setup", seconds.setup);
  record.set("solve", seconds.solve);
  record.set("certificate", seconds.certificate);
  record.set("total", seconds.total);
  return record;
}

}  // namespace

Record result_record(const Result& result, const RunFacts& facts) {
  ResultKeys keys(result.own);
  keys.put("schema", 1);
  keys.put("kind", result.kind);
  keys.put("solver", result.solver);
  keys.put("cost", result.cost);
  keys.put("epsilon", result.epsilon);
  keys.record().set_if_finite("epsilon_relative", result.epsilon_relative);
  keys.put("n", result.n);
  keys.put("d", result.d);
  keys.put("world_size", facts.world_size);
  keys.put("backend", facts.backend);
  keys.put("device", facts.device);
  keys.put("precision", facts.precision);
  keys.put("objective", result.objective);
  keys.put("transport_cost", result.transport_cost);
  keys.put("kl", result.kl);
  keys.put("dual_value", result.dual_value);
  keys.put_own_before("marginal_error");
  if (!result.marginal_error.empty()) keys.record().set("marginal_error", result.marginal_error);
  keys.put("converged", result.converged);
  keys.put("iterations", result.iterations);
  keys.put_own_before("");
  if (result.reference) keys.put("reference", record_of(*result.reference));
  keys.put("seconds", record_of(result.seconds));
  keys.put("peak_memory_bytes", facts.peak_memory_bytes);
  return keys.record();
}

std::string environment_json(const RunFacts& facts, const std::vector<std::string>& command_line) {
  const BuildInfo build = build_info();
  Record record;
  record.set("version", build.version);
  record.set("revision", build.revision);
  record.set("compiler", build.compiler);
  record.set("build_type", build.build_type);
  record.set("libtorch", torch_version());
  record.set("mpi", build.mpi);
  record.set("world_size", facts.world_size);
  record.set("backend", facts.backend);
  record.set("hosts", facts.hosts);
  record.set("cpu", cpu_model());
  record.set("instruction_set", facts.instruction_set);
  record.set("available_cores", num_available_cores());
  record.set("threads_per_rank", facts.threads);
  record.set("command_line", command_line);
  return record.json() + "\n";
}

std::string status_json(const Status& status) {
  Record record;
  record.set("state", status.state);
  if (!status.reason.empty()) record.set("reason", status.reason);
  record.set("pid", static_cast<std::int64_t>(getpid()));
  record.set("host", host_name());
  record.set("step", status.step);
  return record.json() + "\n";
}

Status parse_status(const std::string& text) {
  Status status{.state = "unknown", .reason = "", .step = 0};
  try {
    const Record record = Record::parse(text);
    status.state = record.find_as<std::string>("state").value_or(status.state);
    status.reason = record.find_as<std::string>("reason").value_or("");
    status.step = record.find_as<std::int64_t>("step").value_or(0);
    status.pid = record.find_as<std::int64_t>("pid").value_or(0);
    status.host = record.find_as<std::string>("host").value_or("");
  } catch (const DataError&) {  // unknown
  }
  return status;
}

std::optional<StoredEnvironment> parse_environment(const std::string& text) {
  try {
    const Record record = Record::parse(text);
    return StoredEnvironment{
        .world_size = static_cast<int>(record.get<std::int64_t>("world_size")),
        .threads = static_cast<int>(record.get<std::int64_t>("threads_per_rank")),
        .backend = record.get<std::string>("backend"),
        .hosts = record.get<std::vector<std::string>>("hosts"),
        .command_line = record.get<std::vector<std::string>>("command_line")};
  } catch (const DataError&) {
    return std::nullopt;
  }
}

std::string last_metrics(const std::string& text) {
  const auto end = text.rfind('\n');  // behind it a killed run may have left half a line
  if (end == std::string::npos || end == 0) return "";
  const auto before = text.rfind('\n', end - 1);
  const auto first = before == std::string::npos ? 0 : before + 1;
  try {
    const Record record = Record::parse(text.substr(first, end - first));
    std::string line =
        concat(record.get<std::string>("phase"), ", step ", record.get<std::int64_t>("step"));
    for (const Record::Entry& entry : record.entries()) {
      if (entry.name == "phase" || entry.name == "step") continue;
      const auto number = entry.value.as<double>();
      line += concat(line.find(':') == std::string::npos ? ": " : ", ", entry.name, " ");
      line += number && std::isfinite(*number) ? concat(*number) : entry.value.json();
    }
    return line;
  } catch (const DataError&) {
    return "";
  }
}

}  // namespace kantor::launch
