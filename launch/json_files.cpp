#include "launch/json_files.hpp"

#include <unistd.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "launch/build_info.hpp"
#include "launch/torch_setup.hpp"
#include "runtime/core/process.hpp"

namespace kantor::launch {
namespace {

using Json = nlohmann::ordered_json;

/// Indented; bytes that are not UTF-8 (a strange file name) are replaced instead of refused.
std::string text_of(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

template <class T>
void put(Json& json, const char* key, const std::optional<T>& value) {
  if (value) json[key] = *value;
}

Json certificate_of(const Certificate& certificate) {
  return {{"dual_value", certificate.dual_value},
          {"solved_value", certificate.solved_value},
          {"upper_value", certificate.upper_value},
          {"relative_gap", certificate.relative_gap},
          {"gap_nats", certificate.gap_nats},
          {"iterations", certificate.iterations},
          {"marginal_error", certificate.marginal_error}};
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) {
      const auto colon = line.find(": ");
      if (colon != std::string::npos) return line.substr(colon + 2);
    }
  }
  return "unknown";
}

}  // namespace

std::string result_json(const Result& result, const RunFacts& facts) {
  Json json;
  json["schema"] = 1;
  json["kind"] = result.kind;
  json["solver"] = result.solver;
  json["cost"] = result.cost;
  json["epsilon"] = result.epsilon;
  json["epsilon_relative"] = result.epsilon_relative;
  json["n"] = result.n;
  json["d"] = result.d;
  json["world_size"] = facts.world_size;
  json["backend"] = facts.backend;
  json["device"] = facts.device;
  json["precision"] = facts.precision;
  put(json, "objective", result.objective);
  put(json, "transport_cost", result.transport_cost);
  put(json, "kl", result.kl);
  json["dual_value"] = result.dual_value;
  if (!result.marginal_error.empty()) json["marginal_error"] = result.marginal_error;
  put(json, "converged", result.converged);
  json["iterations"] = result.iterations;
  put(json, "steps", result.steps);
  put(json, "skipped_steps", result.skipped_steps);
  put(json, "samples_per_second", result.samples_per_second);
  put(json, "held_out_dual", result.held_out_dual);
  if (!result.evaluation_points.empty()) json["evaluation_points"] = result.evaluation_points;
  if (result.certificate) json["certificate"] = certificate_of(*result.certificate);
  if (result.reference) {
    json["reference"] = {{"value", result.reference->value}, {"source", result.reference->source}};
  }
  json["seconds"] = {{"setup", result.seconds.setup},
                     {"solve", result.seconds.solve},
                     {"certificate", result.seconds.certificate},
                     {"total", result.seconds.total}};
  json["peak_memory_bytes"] = facts.peak_memory_bytes;
  return text_of(json);
}

std::string environment_json(const RunFacts& facts, const std::vector<std::string>& command_line) {
  const BuildInfo build = build_info();
  Json json;
  json["version"] = build.version;
  json["revision"] = build.revision;
  json["compiler"] = build.compiler;
  json["build_type"] = build.build_type;
  json["libtorch"] = torch_version();
  json["mpi"] = build.mpi;
  json["world_size"] = facts.world_size;
  json["backend"] = facts.backend;
  json["hosts"] = facts.hosts;
  json["cpu"] = cpu_model();
  json["available_cores"] = num_available_cores();
  json["threads_per_rank"] = facts.threads;
  json["command_line"] = command_line;
  return text_of(json);
}

std::string status_json(const Status& status) {
  Json json;
  json["state"] = status.state;
  if (!status.reason.empty()) json["reason"] = status.reason;
  json["pid"] = static_cast<std::int64_t>(getpid());
  json["host"] = host_name();
  json["step"] = status.step;
  return text_of(json);
}

Status parse_status(const std::string& text) {
  const Json json = Json::parse(text, nullptr, false);
  Status status{.state = "unknown", .reason = "", .step = 0};
  if (!json.is_object()) return status;
  const auto state = json.find("state");
  if (state != json.end() && state->is_string()) status.state = state->get<std::string>();
  const auto reason = json.find("reason");
  if (reason != json.end() && reason->is_string()) status.reason = reason->get<std::string>();
  const auto step = json.find("step");
  if (step != json.end() && step->is_number_integer()) status.step = step->get<std::int64_t>();
  return status;
}

}  // namespace kantor::launch
