#include "launch/json_files.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "launch/summary.hpp"
#include "runtime/core/error.hpp"

namespace kantor::launch {
namespace {

using Json = nlohmann::json;

Result small_result(const std::string& solver = "sinkhorn") {
  Result result;
  result.kind = "eot";
  result.solver = solver;
  result.cost = "sqeuclidean";
  result.epsilon = 0.1;
  result.n = {3, 4};
  result.d = {2, 2};
  result.dual_value = 1.0 / 3;
  return result;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += line + "\n";
  return text;
}

std::string summary(const Result& result) {
  return joined(closing_lines(result_record(result, {})));
}

TEST(ResultJson, reads_back_as_the_same_numbers) {
  const Json json = Json::parse(result_record(small_result(), {}).json());
  EXPECT_EQ(json.at("dual_value").get<double>(), 1.0 / 3);
  EXPECT_EQ(json.at("epsilon").get<double>(), 0.1);
}

TEST(ResultJson, has_no_key_that_does_not_apply) {
  const Json json = Json::parse(result_record(small_result(), {}).json());
  for (const char* key : {"objective", "transport_cost", "kl", "converged", "reference",
                          "marginal_error", "checksums"}) {
    EXPECT_FALSE(json.contains(key)) << key;
  }
}

TEST(Summary, calls_a_gap_of_rounding_none) {
  Result result = small_result();
  result.dual_value = 1e8;
  result.objective = std::nextafter(1e8, 0);
  EXPECT_NE(summary(result).find("proven gap     0 relative, 0 nats"), std::string::npos);
}

TEST(Summary, says_of_which_points_the_bounds_are) {
  Result result = small_result("neural");
  EXPECT_EQ(summary(result).find("a sample"), std::string::npos);
  result.own.set("evaluation_points", std::vector<std::int64_t>{100, 50});
  EXPECT_NE(summary(result).find("of 100 x 50 points, a sample"), std::string::npos);
  result.dual_value.reset();  // it stands where it stood
  EXPECT_NE(summary(result).find("of 100 x 50 points, a sample"), std::string::npos);
}

TEST(Summary, tells_where_the_time_went) {
  Result result = small_result("neural");
  Record profile;
  for (const auto& [phase, share] : {std::pair{"data", .25}, {"soft_min", .5}, {"other", .25}}) {
    profile.set(phase, share);
  }
  result.own.set("profile", profile);
  EXPECT_NE(summary(result).find("data 25 %, soft_min 50 %, other 25 %"), std::string::npos);
}

TEST(ResultJson, leaves_out_ratios_that_have_no_value) {
  Result result = small_result();
  result.epsilon_relative = std::numeric_limits<double>::infinity();
  const Record record = result_record(result, {});
  EXPECT_EQ(record.find_nonfinite(), "");
  EXPECT_FALSE(record.contains("epsilon_relative"));
}

TEST(ResultJson, puts_the_own_keys_of_a_solver_where_they_belong) {
  Result result = small_result();
  result.own.set("steps", 3);
  result.own.set("mass", .5).before = "dual_value";
  result.own.set("penalty", .25).before = "dual_value";
  result.own.set("bounds", 2.0).before = "marginal_error";
  result.own.set("profile", "fast");
  result.reference = Reference{.value = 1.75, .source = "closed form"};
  for (const bool is_whole : {true, false}) {
    if (!is_whole) result.dual_value.reset();
    result.marginal_error = is_whole ? std::vector<double>{0, 0} : std::vector<double>{};
    std::string names;
    const Record record = result_record(result, {});
    for (const Record::Entry& entry : record.entries()) {
      names += entry.name + " ";
    }
    const std::string expected =
        concat("precision mass penalty ", is_whole ? "dual_value " : "", "bounds ",
               is_whole ? "marginal_error " : "", "iterations steps profile reference seconds ");
    EXPECT_NE(names.find(expected), std::string::npos) << names;
  }
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
  const std::string text = summary(result);
  EXPECT_NE(text.find("0.01 relative, 0.2 nats"), std::string::npos) << text;
  EXPECT_NE(text.find("dual_value -0.503 %, objective +0.503 %"), std::string::npos) << text;
}

TEST(Summary, adds_the_penalty_of_marginals_that_are_free) {
  Result result = small_result();
  result.objective = 2;
  result.transport_cost = 1;
  result.kl = 5;
  result.own.set("marginal_penalty", .25);
  const std::string text = summary(result);
  EXPECT_NE(text.find("epsilon x kl 5 + marginal_penalty 0.25"), std::string::npos) << text;
}

TEST(Summary, gives_the_divergence_with_its_bounds) {
  Result result = small_result();
  Record divergence;
  divergence.set("value", 1.5);
  divergence.set("lower", 1.25);
  divergence.set("upper", 1.75);
  result.own.set("divergence", divergence);
  const std::string text = summary(result);
  EXPECT_NE(text.find("1.5  in [1.25, 1.75]"), std::string::npos) << text;
}

TEST(Summary, adds_up_the_solves_of_progot) {
  Result result = small_result("progot");
  result.own.set("iterations_per_step", std::vector<std::int64_t>{30, 12});
  const std::string text = summary(result);
  EXPECT_NE(text.find("  solves         2: 30 + 12 iterations\n"), std::string::npos) << text;
}

TEST(Summary, has_a_word_for_how_spread_a_plan_is) {
  for (const char* solver : {"neural", "sinkhorn", "progot"}) {
    Result result = small_result(solver);
    const auto at = [&](double normalised_entropy) {
      result.own.set("normalised_entropy", normalised_entropy);
      return summary(result);
    };
    EXPECT_EQ(summary(result).find("normalised_entropy"), std::string::npos);
    EXPECT_NE(at(.988).find("nearly independent"), std::string::npos);
    for (const double spread : {.9, .5, .05, .01, -.01}) {
      EXPECT_EQ(at(spread).find("nearly a matching") != std::string::npos, spread < .05) << spread;
      EXPECT_EQ(at(spread).find("nearly independent"), std::string::npos) << spread;
    }
  }
}

TEST(Summary, leaves_out_what_was_not_proven) {
  Result result = small_result();
  result.reference = Reference{.value = .5, .source = "closed form"};
  EXPECT_EQ(summary(result).find("gap"), std::string::npos);
  EXPECT_EQ(summary(result).find("objective"), std::string::npos);
  result.dual_value.reset();
  EXPECT_EQ(summary(result),
            "  reference      0.5  (closed form)\n  time           0 ms, 0 iterations\n");
  result.objective = .505;
  EXPECT_NE(summary(result).find("(closed form); objective +1.000 %\n"), std::string::npos);
  EXPECT_EQ(summary(result).find("gap"), std::string::npos);
}

/// So older versions wrote what is not finite.
TEST(Summary, takes_null_for_nothing) {
  Record record = result_record(small_result(), {});
  for (const char* name : {"dual_value", "objective", "transport_cost", "kl"}) {
    record.set(name, std::nan(""));
  }
  EXPECT_EQ(joined(closing_lines(record)), "  time           0 ms, 0 iterations\n");
}

TEST(Summary, tells_the_common_numbers_of_a_solver_that_is_not_known_here) {
  Result result = small_result("magic");
  result.own.set("normalised_entropy", .5);
  EXPECT_EQ(summary(result), "  dual_value     0.3333333\n  time           0 ms, 0 iterations\n");
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
