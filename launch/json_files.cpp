#include "launch/json_files.hpp"

#include <unistd.h>

#include <cmath>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>

#include "launch/build_info.hpp"
#include "launch/torch_setup.hpp"
#include "runtime/core/error.hpp"
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

/// Ratios whose denominator may be 0, and logarithms of what may underflow.
void put_if_finite(Json& json, const char* key, std::optional<double> value) {
  if (value && std::isfinite(*value)) json[key] = *value;
}

/// Older versions wrote NaN and infinities as null.
double number(const Json& json) {
  return json.is_null() ? std::numeric_limits<double>::quiet_NaN() : json.get<double>();
}

void take(const Json& json, const char* key, std::optional<double>& value) {
  const auto found = json.find(key);
  if (found != json.end()) value = number(*found);
}

Json certificate_of(const Certificate& certificate) {
  Json json = {{"dual_value", certificate.dual_value},
               {"solved_value", certificate.solved_value},
               {"upper_value", certificate.upper_value}};
  put_if_finite(json, "relative_gap", certificate.relative_gap);
  json["gap_nats"] = certificate.gap_nats;
  json["iterations"] = certificate.iterations;
  json["marginal_error"] = certificate.marginal_error;
  return json;
}

void put_shape(Json& json, const PlanDiagnostics& shape) {
  json["entropy"] = shape.entropy;
  put(json, "normalised_entropy", shape.normalised_entropy);
  put(json, "diagonal_mass", shape.diagonal_mass);
  put_if_finite(json, "identity_kl", shape.identity_kl);
}

Json storage_of(const StorageReport& storage) {
  Json json = {{"form", storage.form}, {"bytes_per_rank", storage.bytes_per_rank}};
  put(json, "predicted_seconds_per_iteration", storage.predicted_seconds_per_iteration);
  put(json, "seconds_per_iteration", storage.seconds_per_iteration);
  if (storage.form == "streamed") return json;
  put(json, "predicted_seconds_to_store", storage.predicted_seconds_to_store);
  json["seconds_to_store"] = storage.seconds_to_store;
  if (storage.form.starts_with("absorbed")) json["refreshes"] = storage.refreshes;
  return json;
}

/// Of ProgOT, one entry per solve.
void put_steps(Json& json, const Result& result) {
  if (result.epsilons.empty()) return;
  json["epsilons"] = result.epsilons;
  json["alphas"] = result.alphas;
  json["iterations_per_step"] = result.iterations_per_step;
  if (!result.converged_per_step.empty()) json["converged_per_step"] = result.converged_per_step;
  if (!result.last_step) return;
  json["last_step"] = {{"epsilon", result.last_step->epsilon},
                       {"transport_cost", result.last_step->transport_cost},
                       {"objective", result.last_step->objective},
                       {"dual_value", result.last_step->dual_value}};
}

Json divergence_of(const Divergence& divergence) {
  return {{"value", divergence.value}, {"lower", divergence.lower},
          {"upper", divergence.upper}, {"xx", divergence.xx},
          {"yy", divergence.yy},       {"iterations", divergence.iterations}};
}

std::string find_nonfinite(const Json& json, const std::string& name) {
  const double value = json.is_number_float() ? json.get<double>() : 0;
  if (!std::isfinite(value)) return concat(name, " is ", std::isnan(value) ? "NaN" : "infinite");
  std::string found;
  for (auto item = json.begin(); json.is_structured() && item != json.end(); ++item) {
    const auto place = std::distance(json.begin(), item);
    const std::string key = json.is_object() ? item.key() : concat(place);
    found = find_nonfinite(*item, name.empty() ? key : concat(name, ".", key));
    if (!found.empty()) break;
  }
  return found;
}

Json json_of(const Result& result, const RunFacts& facts) {
  Json json;
  json["schema"] = 1;
  json["kind"] = result.kind;
  json["solver"] = result.solver;
  json["cost"] = result.cost;
  json["epsilon"] = result.epsilon;
  put_if_finite(json, "epsilon_relative", result.epsilon_relative);
  json["n"] = result.n;
  json["d"] = result.d;
  json["world_size"] = facts.world_size;
  json["backend"] = facts.backend;
  json["device"] = facts.device;
  json["precision"] = facts.precision;
  put(json, "objective", result.objective);
  put(json, "transport_cost", result.transport_cost);
  put(json, "kl", result.kl);
  put(json, "marginal_penalty", result.marginal_penalty);
  put(json, "mass", result.mass);
  if (result.shape) put_shape(json, *result.shape);
  json["dual_value"] = result.dual_value;
  if (result.divergence) json["divergence"] = divergence_of(*result.divergence);
  if (!result.marginal_error.empty()) json["marginal_error"] = result.marginal_error;
  put(json, "converged", result.converged);
  json["iterations"] = result.iterations;
  put(json, "fallback_iterations", result.fallback_iterations);
  put_steps(json, result);
  if (result.storage) json["storage"] = storage_of(*result.storage);
  put(json, "steps", result.steps);
  put(json, "skipped_steps", result.skipped_steps);
  put_if_finite(json, "samples_per_second", result.samples_per_second);
  for (const auto& [phase, share] : result.profile) json["profile"][phase] = share;
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
  return json;
}

}  // namespace

std::string find_nonfinite(const Result& result, const RunFacts& facts) {
  return find_nonfinite(json_of(result, facts), "");
}

std::string result_json(const Result& result, const RunFacts& facts, const Checksums& checksums) {
  Json json = json_of(result, facts);
  for (const auto& [name, checksum] : checksums) json["checksums"][name] = checksum;
  return text_of(json);
}

std::string with_model_input(const std::string& model_json, double scale, bool is_direction) {
  Json json = Json::parse(model_json);
  json["input"] = {{"scale", scale}, {"unit_length", is_direction}};
  return json.dump(2);
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
  json["instruction_set"] = facts.instruction_set;
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
  const auto pid = json.find("pid");
  if (pid != json.end() && pid->is_number_integer()) status.pid = pid->get<std::int64_t>();
  const auto host = json.find("host");
  if (host != json.end() && host->is_string()) status.host = host->get<std::string>();
  return status;
}

std::optional<StoredResult> parse_result(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    StoredResult stored;
    Result& result = stored.result;
    json.at("kind").get_to(result.kind);
    json.at("solver").get_to(result.solver);
    json.at("cost").get_to(result.cost);
    result.epsilon = number(json.at("epsilon"));
    result.epsilon_relative = std::numeric_limits<double>::quiet_NaN();
    if (json.contains("epsilon_relative")) {
      result.epsilon_relative = number(json["epsilon_relative"]);
    }
    json.at("n").get_to(result.n);
    json.at("d").get_to(result.d);
    json.at("iterations").get_to(result.iterations);
    result.dual_value = number(json.at("dual_value"));
    result.seconds.total = number(json.at("seconds").at("total"));
    take(json, "objective", result.objective);
    take(json, "transport_cost", result.transport_cost);
    take(json, "kl", result.kl);
    take(json, "marginal_penalty", result.marginal_penalty);
    take(json, "samples_per_second", result.samples_per_second);
    if (json.contains("divergence")) {
      const Json& divergence = json["divergence"];
      result.divergence = {.value = number(divergence.at("value")),
                           .lower = number(divergence.at("lower")),
                           .upper = number(divergence.at("upper")),
                           .iterations = {}};
    }
    if (json.contains("iterations_per_step")) {
      json["iterations_per_step"].get_to(result.iterations_per_step);
    }
    if (json.contains("steps")) result.steps = json["steps"].get<std::int64_t>();
    if (json.contains("reference")) {
      const Json& reference = json["reference"];
      result.reference = {number(reference.at("value")), reference.at("source")};
    }
    if (json.contains("converged")) result.converged = json["converged"].get<bool>();
    if (json.contains("checksums")) {
      for (const auto& [name, checksum] : json["checksums"].items()) {
        stored.checksums.emplace_back(name, checksum.get<std::string>());
      }
    }
    json.at("world_size").get_to(stored.facts.world_size);
    json.at("backend").get_to(stored.facts.backend);
    json.at("device").get_to(stored.facts.device);
    json.at("precision").get_to(stored.facts.precision);
    return stored;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

std::optional<StoredEnvironment> parse_environment(const std::string& text) {
  try {
    const Json json = Json::parse(text);
    StoredEnvironment stored;
    json.at("world_size").get_to(stored.world_size);
    json.at("threads_per_rank").get_to(stored.threads);
    json.at("backend").get_to(stored.backend);
    json.at("hosts").get_to(stored.hosts);
    json.at("command_line").get_to(stored.command_line);
    return stored;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  }
}

std::string last_metrics(const std::string& text) {
  const auto end = text.rfind('\n');  // behind it a killed run may have left half a line
  if (end == std::string::npos || end == 0) return "";
  const auto before = text.rfind('\n', end - 1);
  const auto first = before == std::string::npos ? 0 : before + 1;
  try {
    const Json json = Json::parse(text.substr(first, end - first));
    std::string line =
        concat(json.at("phase").get<std::string>(), ", step ", json.at("step").get<std::int64_t>());
    for (const auto& [name, value] : json.items()) {
      if (name == "phase" || name == "step") continue;
      line += concat(line.find(':') == std::string::npos ? ": " : ", ", name, " ");
      line += value.is_number() ? concat(value.get<double>()) : value.dump();
    }
    return line;
  } catch (const nlohmann::json::exception&) {
    return "";
  }
}

}  // namespace kantor::launch
