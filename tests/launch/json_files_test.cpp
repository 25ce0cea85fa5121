#include "launch/json_files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "launch/summary.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"

namespace kantor::launch {
namespace {

using Json = nlohmann::json;

Result small_result() {
  Result result;
  result.kind = "eot";
  result.solver = "sinkhorn";
  result.cost = "sqeuclidean";
  result.epsilon = 0.1;
  result.n = {3, 4};
  result.d = {2, 2};
  result.dual_value = 1.0 / 3;
  return result;
}

sinkhorn::SinkhornConfig solves(double tolerance) {
  sinkhorn::SinkhornConfig config;
  config.tolerance = tolerance;
  config.max_iterations = 50;
  return config;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

TEST(ResultJson, reads_back_as_the_same_numbers) {
  const Json json = Json::parse(result_json(small_result(), {}, {}));
  EXPECT_EQ(json.at("dual_value").get<double>(), 1.0 / 3);
  EXPECT_EQ(json.at("epsilon").get<double>(), 0.1);
}

TEST(ResultJson, has_no_key_that_does_not_apply) {
  const Json json = Json::parse(result_json(small_result(), {}, {}));
  for (const char* key : {"objective", "transport_cost", "kl", "converged", "steps", "reference",
                          "samples_per_second", "held_out_dual", "certificate", "evaluation_points",
                          "marginal_error", "profile", "entropy", "diagonal_mass", "epsilons",
                          "alphas", "iterations_per_step", "converged_per_step", "last_step"}) {
    EXPECT_FALSE(json.contains(key)) << key;
  }
}

TEST(Summary, tells_what_would_reach_the_tolerance) {
  Configuration configuration;
  configuration.solver = "sinkhorn";
  configuration.tables.set(solves(1e-10));
  Result result = small_result();
  result.marginal_error = {1e-8, 0};
  result.iterations = 50;
  EXPECT_NE(not_converged_line(result, configuration).find("max_iterations"), std::string::npos);
  result.is_stalled = true;
  const std::string stalled = not_converged_line(result, configuration);
  EXPECT_NE(stalled.find("float64"), std::string::npos) << stalled;
  EXPECT_EQ(stalled.find("max_iterations"), std::string::npos) << stalled;
  configuration.run.precision = "float64";  // no help then
  EXPECT_NE(not_converged_line(result, configuration).find("max_iterations"), std::string::npos);
  configuration.run.precision = "float32";
  result.is_stalled = false;
  result.iterations = 3;  // its own measure was below the tolerance, the one in double is not
  EXPECT_NE(not_converged_line(result, configuration).find("float64"), std::string::npos);
  result.iterations = 50;
  result.marginal_error = {1e-8, std::numeric_limits<double>::infinity()};
  EXPECT_NE(not_converged_line(result, configuration).find("float64"), std::string::npos);
}

TEST(Summary, tells_of_a_gap_that_the_tolerance_does_not_explain) {
  Configuration configuration;
  configuration.solver = "sinkhorn";
  configuration.tables.set(solves(1e-3));
  Result result = small_result();
  result.marginal_error = {9e-4, 0};
  result.has_wide_gap = true;
  result.iterations = 50;
  result.objective = 1600;
  const std::string line = not_converged_line(result, configuration);
  EXPECT_NE(line.find("the proven gap"), std::string::npos) << line;
  EXPECT_NE(line.find("lower solver.sinkhorn.tolerance"), std::string::npos) << line;
  result.marginal_error = {9e-2, 0};  // a gap is no wonder
  EXPECT_NE(not_converged_line(result, configuration).find("max_iterations"), std::string::npos);
}

TEST(Summary, calls_a_gap_of_rounding_none) {
  Result result = small_result();
  result.dual_value = 1e8;
  result.objective = std::nextafter(1e8, 0);
  EXPECT_NE(joined(closing_lines(result)).find("proven gap     0 relative, 0 nats"),
            std::string::npos);
}

TEST(Summary, says_of_which_points_the_bounds_are) {
  Result result = small_result();
  EXPECT_EQ(joined(closing_lines(result)).find("a sample"), std::string::npos);
  result.evaluation_points = {100, 50};
  EXPECT_NE(joined(closing_lines(result)).find("of 100 x 50 points, a sample"), std::string::npos);
}

TEST(ResultJson, tells_where_the_time_went) {
  Result result = small_result();
  result.profile = {{"data", .25}, {"soft_min", .5}, {"other", .25}};
  const Json json = Json::parse(result_json(result, {}, {}));
  EXPECT_EQ(json.at("profile").at("soft_min").get<double>(), .5);
  EXPECT_NE(joined(closing_lines(result)).find("data 25 %, soft_min 50 %, other 25 %"),
            std::string::npos);
}

TEST(ResultJson, is_searched_for_numbers_that_are_not_finite) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const double inf = std::numeric_limits<double>::infinity();
  Result result = small_result();
  EXPECT_EQ(find_nonfinite(result, {}), "");
  result.marginal_error = {0, -inf};
  EXPECT_EQ(find_nonfinite(result, {}), "marginal_error.1 is infinite");
  result.objective = nan;
  EXPECT_EQ(find_nonfinite(result, {}), "objective is NaN");
  result = small_result();
  result.certificate = Certificate{.dual_value = 1, .upper_value = inf, .marginal_error = {}};
  EXPECT_EQ(find_nonfinite(result, {}), "certificate.upper_value is infinite");
  result = small_result();
  result.last_step = LastStep{.dual_value = nan};
  result.epsilons = {1};
  EXPECT_EQ(find_nonfinite(result, {}), "last_step.dual_value is NaN");
}

/// A mean cost or a bound of 0, the least P_ii below every double.
TEST(ResultJson, leaves_out_ratios_that_have_no_value) {
  const double inf = std::numeric_limits<double>::infinity();
  Result result = small_result();
  result.epsilon_relative = inf;
  result.samples_per_second = inf;
  result.certificate = Certificate{.dual_value = -1, .relative_gap = inf, .marginal_error = {}};
  result.shape = PlanDiagnostics{.identity_kl = inf};
  EXPECT_EQ(find_nonfinite(result, {}), "");
  const std::string text = result_json(result, {}, {});
  const Json json = Json::parse(text);
  EXPECT_FALSE(json.contains("epsilon_relative"));
  EXPECT_FALSE(json.contains("samples_per_second"));
  EXPECT_FALSE(json.contains("identity_kl"));
  EXPECT_FALSE(json.at("certificate").contains("relative_gap"));
  EXPECT_EQ(text.find("null"), std::string::npos) << text;
  const auto stored = parse_result(text);
  ASSERT_TRUE(stored.has_value());
  EXPECT_TRUE(std::isnan(stored->result.epsilon_relative));
}

TEST(ModelJson, tells_what_of_a_point_the_model_takes) {
  const Json json = Json::parse(with_model_input(R"({"d": 2})", .5, true));
  EXPECT_EQ(json, Json::parse(R"({"d": 2, "input": {"scale": 0.5, "unit_length": true}})"));
}

TEST(ResultJson, holds_certificate_and_reference_when_there_are_any) {
  Result result = small_result();
  result.certificate = Certificate{.dual_value = 1,
                                   .solved_value = 1.5,
                                   .upper_value = 2,
                                   .relative_gap = 0.5,
                                   .gap_nats = 10,
                                   .iterations = 7,
                                   .marginal_error = {0, 1e-5}};
  result.reference = Reference{.value = 1.75, .source = "closed form"};
  const Json json = Json::parse(result_json(result, {}, {}));
  EXPECT_EQ(json.at("certificate").at("upper_value"), 2);
  EXPECT_EQ(json.at("certificate").at("iterations"), 7);
  EXPECT_EQ(json.at("certificate").at("marginal_error").size(), 2u);
  EXPECT_EQ(json.at("reference").at("source"), "closed form");
}

TEST(Environment, keeps_a_command_line_of_any_bytes) {
  const Json json = Json::parse(environment_json({}, {"kantor", "run", "a \"b\"\xff.toml"}));
  EXPECT_EQ(json.at("command_line").size(), 3u);
  EXPECT_EQ(json.at("version"), "0.1.0");
  EXPECT_FALSE(json.at("libtorch").get<std::string>().empty());
}

TEST(Summary, gives_the_gap_and_the_distance_to_the_known_answer) {
  Result result = small_result();
  result.dual_value = 1.98;
  result.objective = 2;
  result.transport_cost = 1.5;
  result.kl = 5;
  result.reference = Reference{.value = 1.99, .source = "closed form"};
  const std::string text = joined(closing_lines(result));
  EXPECT_NE(text.find("0.01 relative, 0.2 nats"), std::string::npos) << text;
  EXPECT_NE(text.find("dual_value -0.503 %"), std::string::npos) << text;
  EXPECT_NE(text.find("objective +0.503 %"), std::string::npos) << text;
}

TEST(Summary, adds_the_penalty_of_marginals_that_are_free) {
  Result result = small_result();
  result.objective = 2;
  result.transport_cost = 1;
  result.kl = 5;
  result.marginal_penalty = .25;
  result.mass = .75;
  const std::string text = joined(closing_lines(result));
  EXPECT_NE(text.find("epsilon x kl 5 + marginal_penalty 0.25"), std::string::npos) << text;
  const Json json = Json::parse(result_json(result, {}, {}));
  EXPECT_EQ(json.at("marginal_penalty"), .25);
  EXPECT_EQ(json.at("mass"), .75);
  EXPECT_FALSE(Json::parse(result_json(small_result(), {}, {})).contains("mass"));
  EXPECT_FALSE(Json::parse(result_json(small_result(), {}, {})).contains("fallback_iterations"));
  result.fallback_iterations = 2;
  EXPECT_EQ(Json::parse(result_json(result, {}, {})).at("fallback_iterations"), 2);
}

TEST(ResultJson, tells_how_costs_were_stored) {
  Result result = small_result();
  EXPECT_FALSE(Json::parse(result_json(result, {}, {})).contains("storage"));
  result.storage = StorageReport{.form = "streamed",
                                 .bytes_per_rank = 1000,
                                 .predicted_seconds_per_iteration = .5,
                                 .seconds_per_iteration = .25};
  const auto stored = [&] { return Json::parse(result_json(result, {}, {})).at("storage"); };
  EXPECT_EQ(stored(), Json::parse(R"({"form": "streamed", "bytes_per_rank": 1000,
      "predicted_seconds_per_iteration": 0.5, "seconds_per_iteration": 0.25})"));
  result.storage->form = "absorbed";
  result.storage->seconds_per_iteration.reset();
  result.storage->predicted_seconds_to_store = 2;
  result.storage->seconds_to_store = 3;
  result.storage->refreshes = 4;
  EXPECT_EQ(stored(), Json::parse(R"({"form": "absorbed", "bytes_per_rank": 1000,
      "predicted_seconds_per_iteration": 0.5, "predicted_seconds_to_store": 2.0,
      "seconds_to_store": 3.0, "refreshes": 4})"));
  result.storage->form = "absorbed16";
  EXPECT_EQ(stored().at("refreshes"), 4);
  result.storage = StorageReport{.form = "materialised", .bytes_per_rank = 1000};  // on a GPU
  EXPECT_EQ(stored(), Json::parse(R"({"form": "materialised", "bytes_per_rank": 1000,
      "seconds_to_store": 0.0})"));
}

TEST(Summary, gives_the_divergence_with_its_bounds) {
  Result result = small_result();
  result.divergence = Divergence{
      .value = 1.5, .lower = 1.25, .upper = 1.75, .xx = .1, .yy = .2, .iterations = {3, 4}};
  const std::string text = joined(closing_lines(result));
  EXPECT_NE(text.find("1.5  in [1.25, 1.75]"), std::string::npos) << text;
  const Json json = Json::parse(result_json(result, {}, {})).at("divergence");
  EXPECT_EQ(json.at("value"), 1.5);
  EXPECT_EQ(json.at("lower"), 1.25);
  EXPECT_EQ(json.at("upper"), 1.75);
  EXPECT_EQ(json.at("xx"), .1);
  EXPECT_EQ(json.at("yy"), .2);
  EXPECT_EQ(json.at("iterations"), (std::vector<int>{3, 4}));
}

TEST(Summary, has_a_word_for_how_spread_a_plan_is) {
  Result result = small_result();
  result.epsilon_relative = .05;
  const auto at = [&](double normalised_entropy) {
    result.shape = PlanDiagnostics{.normalised_entropy = normalised_entropy};
    return joined(closing_lines(result));
  };
  EXPECT_NE(at(.988).find("nearly independent"), std::string::npos);
  EXPECT_NE(independence_line(result).find("normalised_entropy 0.988"), std::string::npos);
  for (const double spread : {.9, .5, .05, .01, -.01}) {
    EXPECT_EQ(at(spread).find("nearly a matching") != std::string::npos, spread < .05) << spread;
    EXPECT_EQ(at(spread).find("nearly independent"), std::string::npos) << spread;
    EXPECT_EQ(independence_line(result), "") << spread;
  }
  result.shape = PlanDiagnostics{};
  EXPECT_EQ(joined(closing_lines(result)).find("normalised_entropy"), std::string::npos);
  EXPECT_EQ(independence_line(result), "");
}

TEST(Summary, leaves_out_what_was_not_proven) {
  const std::string text = joined(closing_lines(small_result()));
  EXPECT_EQ(text.find("gap"), std::string::npos) << text;
  EXPECT_EQ(text.find("objective"), std::string::npos) << text;
}

TEST(StoredResult, is_what_was_written) {
  Result result = small_result();
  result.objective = 0.5;
  result.transport_cost = std::numeric_limits<double>::quiet_NaN();  // null, as once was written
  result.kl = 2;
  result.steps = 7;
  result.reference = {0.25, "a formula"};
  RunFacts facts;
  facts.world_size = 3;
  facts.precision = "float64";
  const auto stored = parse_result(result_json(result, facts, {{"potentials/0.npy", "00ff"}}));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->result.n, result.n);
  EXPECT_EQ(stored->result.objective, 0.5);
  EXPECT_TRUE(std::isnan(*stored->result.transport_cost));
  EXPECT_EQ(stored->result.dual_value, 1.0 / 3);
  EXPECT_EQ(stored->result.steps, 7);
  EXPECT_EQ(stored->result.reference->source, "a formula");
  EXPECT_FALSE(stored->result.samples_per_second.has_value());
  EXPECT_FALSE(stored->result.converged.has_value());
  EXPECT_EQ(stored->checksums, (Checksums{{"potentials/0.npy", "00ff"}}));
  EXPECT_EQ(stored->facts.world_size, 3);
  EXPECT_EQ(stored->facts.precision, "float64");
}

TEST(StoredResult, is_none_when_the_text_is_something_else) {
  const std::string whole = result_json(small_result(), {}, {});
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1]"), std::string("nonsense"),
        whole.substr(0, whole.size() / 2), std::string("{\"kind\": 3}")}) {
    EXPECT_FALSE(parse_result(text).has_value()) << text;
  }
}

TEST(StoredEnvironment, is_what_was_written_or_none) {
  RunFacts facts;
  facts.world_size = 2;
  facts.threads = 4;
  facts.hosts = {"a", "b"};
  const auto stored = parse_environment(environment_json(facts, {"kantor", "run", "p.toml"}));
  ASSERT_TRUE(stored.has_value());
  EXPECT_EQ(stored->world_size, 2);
  EXPECT_EQ(stored->threads, 4);
  EXPECT_EQ(stored->hosts, facts.hosts);
  EXPECT_EQ(stored->command_line.back(), "p.toml");
  EXPECT_FALSE(parse_environment("").has_value());
  EXPECT_FALSE(parse_environment("{\"world_size\": \"many\"}").has_value());
}

TEST(LastMetrics, are_those_of_the_last_whole_line) {
  const std::string lines =
      "{\"phase\":\"train\",\"step\":1,\"loss\":3}\n"
      "{\"phase\":\"train\",\"step\":2,\"loss\":0.5,\"rate\":null}\n";
  EXPECT_EQ(last_metrics(lines), "train, step 2: loss 0.5, rate null");
  EXPECT_EQ(last_metrics(lines + "{\"phase\":\"tr"), "train, step 2: loss 0.5, rate null");
  for (const char* text : {"", "\n", "{\"phase\"", "[1, 2]\n", "{\"phase\": 1\n"}) {
    EXPECT_EQ(last_metrics(text), "") << text;
  }
  EXPECT_EQ(last_metrics("{\"phase\":1,\"step\":\"x\"}\n"), "");
}

TEST(StatusJson, says_who_wrote_it) {
  const Status status = parse_status(status_json({.state = "running", .reason = "", .step = 5}));
  EXPECT_EQ(status.pid, getpid());
  EXPECT_FALSE(status.host.empty());
  EXPECT_EQ(parse_status("{\"pid\": \"x\", \"host\": 3}").pid, 0);
}

}  // namespace
}  // namespace kantor::launch
