#include "solvers/registry.hpp"

#include <gtest/gtest.h>

#include <string>

#include "solvers/neural/neural_config.hpp"
#include "solvers/sinkhorn/sinkhorn_config.hpp"
#include "tests/runtime/config/config_text.hpp"
#include "tests/solvers/small_problem.hpp"
#include "tests/support/thrown.hpp"
#include "tests/support/world.hpp"

namespace kantor::test {
namespace {

const std::string kProblem =
    "[problem]\nepsilon = 0.5\n"
    "[[problem.marginals]]\ngenerator = { name = \"gaussian\", n = 20, d = 2, seed = 1 }\n"
    "[[problem.marginals]]\ngenerator = { name = \"gaussian\", n = 15, d = 2, seed = 2 }\n";

Configuration read(const std::string& text) {
  config::Value resolved{config::Table{}, "", ""};
  return read_configuration(parsed(text), resolved);
}

const sinkhorn::SinkhornConfig& sinkhorn_of(const Configuration& configuration) {
  return configuration.tables.get<sinkhorn::SinkhornConfig>();
}
const neural::NeuralConfig& neural_of(const Configuration& configuration) {
  return configuration.tables.get<neural::NeuralConfig>();
}

std::string refusal(const std::string& text) {
  return message_of<ConfigError>([&] { read(kProblem + text); });
}

TEST(Registry, reads_a_problem_with_defaults) {
  config::Value resolved{config::Table{}, "", ""};
  const Configuration configuration = read_configuration(parsed(kProblem), resolved);
  EXPECT_EQ(configuration.solver, "neural");
  EXPECT_EQ(configuration.problem.marginals.size(), 2u);
  EXPECT_EQ(sinkhorn_of(configuration).max_iterations, 10000);
  EXPECT_EQ(neural_of(configuration).batch, 512);
  for (const char* solver : {"neural", "sinkhorn", "progot"}) {  // all, whichever runs
    EXPECT_NE(resolved.find("solver")->find(solver), nullptr) << solver;
  }
}

TEST(Registry, reads_every_table) {
  const Configuration configuration =
      read(kProblem +
           "[solver]\nname = \"sinkhorn\"\n[solver.sinkhorn]\ntolerance = 1e-6\n"
           "storage = \"streamed\"\n[solver.neural]\nsteps = 7\nbatch = 9\n"
           "network = { width = [3, 4], activation = \"tanh\", quadratic = false }\n"
           "[run]\nprecision = \"float64\"\nseed = 5\n");
  EXPECT_EQ(configuration.solver, "sinkhorn");
  EXPECT_EQ(sinkhorn_of(configuration).tolerance, 1e-6);
  EXPECT_EQ(sinkhorn_of(configuration).storage, "streamed");
  EXPECT_EQ(neural_of(configuration).training.steps, 7);
  EXPECT_EQ(neural_of(configuration).batch, 9);
  EXPECT_EQ(neural_of(configuration).network.width, (std::vector<std::int64_t>{3, 4}));
  EXPECT_EQ(neural_of(configuration).network.activation, "tanh");
  EXPECT_FALSE(neural_of(configuration).network.quadratic);
  EXPECT_EQ(configuration.run.seed, 5);
}

TEST(Registry, refuses_unknown_names) {
  EXPECT_NE(refusal("[solver]\nname = \"sinkhor\"\n").find("sinkhorn"), std::string::npos);
  EXPECT_NE(refusal("[solver]\nnane = \"neural\"\n").find("name"), std::string::npos);
  EXPECT_NE(refusal("[sovler]\nname = \"neural\"\n").find("solver"), std::string::npos);
  EXPECT_NE(refusal("[run]\nprecision = \"float16\"\n").find("float32"), std::string::npos);
  const std::string kind = message_of<ConfigError>([] {
    read(
        "[problem]\nkind = \"egv\"\nepsilon = 1\n[[problem.marginals]]\npath = \"x\"\n"
        "[[problem.marginals]]\npath = \"y\"\n");
  });
  EXPECT_NE(kind.find("egv"), std::string::npos) << kind;
  const std::string unsolved = message_of<ConfigError>(
      [] { read("[problem]\nkind = \"mot\"\n" + kProblem.substr(kProblem.find("epsilon"))); });
  EXPECT_EQ(unsolved, "no solver solves problem.kind = \"mot\" yet; kinds with solvers: eot, egw");
  message_of<ConfigError>([] { read("[solver]\nname = \"neural\"\n"); });  // no problem
}

TEST(Registry, reads_the_tables_of_solvers_that_are_not_selected) {
  const std::string neural = "[solver]\nname = \"neural\"\n";
  const std::string sinkhorn = "[solver]\nname = \"sinkhorn\"\n";
  EXPECT_NE(refusal(neural + "[solver.sinkhorn]\ntoleranse = 1\n").find("tolerance"),
            std::string::npos);
  EXPECT_NE(refusal(neural + "[solver.sinkhorn]\ntolerance = -1\n").find("tolerance"),
            std::string::npos);
  EXPECT_NE(refusal(neural + "[solver.sinkhorn]\nstorage = \"disk\"\n").find("storage"),
            std::string::npos);
  EXPECT_NE(refusal(sinkhorn + "[solver.neural]\nbatsch = 1\n").find("batch"), std::string::npos);
  EXPECT_NE(refusal(sinkhorn + "[solver.neural]\nbatch = 0\n").find("batch"), std::string::npos);
  EXPECT_NE(refusal(sinkhorn + "[solver.neural]\nnetwork = { depth = 3 }\n").find("depth"),
            std::string::npos);
  EXPECT_NE(refusal(sinkhorn + "[solver.neural]\nnetwork = { activation = \"swish\" }\n")
                .find("activation"),
            std::string::npos);
  EXPECT_NE(refusal(sinkhorn + "[solver.progot]\nalphas = [0.5, 0.5]\n").find("alphas"),
            std::string::npos);
  EXPECT_NE(refusal(sinkhorn + "[solver.neurall]\nbatch = 3\n").find("neural"), std::string::npos);
}

TEST(Registry, refuses_a_penalty_for_a_solver_that_holds_the_marginals) {
  const std::string text =
      "[problem]\nepsilon = 0.5\nrho = 1\n" + kProblem.substr(kProblem.find("[[problem"));
  const std::string message = message_of<ConfigError>([&] { read(text); });
  EXPECT_NE(message.find("solver.name = \"sinkhorn\""), std::string::npos) << message;
  EXPECT_EQ(penalty_of(read(text + "[solver]\nname = \"sinkhorn\"\n").problem.terms).x, 1);
  const std::string divergence = message_of<ConfigError>(
      [&] { read(text + "[solver]\nname = \"sinkhorn\"\nsinkhorn = { divergence = true }\n"); });
  EXPECT_NE(divergence.find("problem.rho"), std::string::npos) << divergence;
}

TEST(Registry, refuses_what_needs_points_where_costs_come_from_a_file) {
  const std::string text =
      "[problem]\nepsilon = 0.5\ncost = \"matrix\"\ncost_file = \"C.npy\"\n[solver]\n";
  const auto refuse = [&](const std::string& solver) {
    return message_of<ConfigError>([&] { read(text + solver); });
  };
  for (const char* name : {"neural", "progot"}) {
    EXPECT_NE(refuse(concat("name = \"", name, "\"\n")).find("use solver.name = \"sinkhorn\""),
              std::string::npos);
  }
  const std::string sinkhorn = "name = \"sinkhorn\"\n";
  EXPECT_NE(refuse(sinkhorn + "sinkhorn = { divergence = true }\n").find("divergence"),
            std::string::npos);
  EXPECT_NE(refuse(sinkhorn + "sinkhorn = { storage = \"streamed\" }\n").find("storage"),
            std::string::npos);
  EXPECT_EQ(read(text + sinkhorn).problem.marginals.size(), 0u);
}

TEST(Registry, refuses_a_gaussian_start_for_a_cost_without_one) {
  const std::string text = "[problem]\ncost = \"euclidean\"\nepsilon = 0.5\n" +
                           kProblem.substr(kProblem.find("[[problem")) +
                           "[solver]\nname = \"sinkhorn\"\nsinkhorn = { warm_start = ";
  const std::string message = message_of<ConfigError>([&] { read(text + "\"gaussian\" }\n"); });
  EXPECT_NE(message.find("use \"subsample\""), std::string::npos) << message;
  EXPECT_EQ(sinkhorn_of(read(text + "\"subsample\" }\n")).warm_start, "subsample");
}

TEST(Registry, refuses_an_absorbed_kernel_on_a_gpu) {
  const std::string text = kProblem + "[run]\ndevice = \"cuda\"\n[solver]\nname = ";
  for (const char* name : {"sinkhorn", "progot"}) {
    for (const char* form : {"absorbed", "absorbed16"}) {
      const std::string storage = concat("storage = \"", form, "\"");
      const std::string message = message_of<ConfigError>(
          [&] { read(concat(text, "\"", name, "\"\nsinkhorn = { ", storage, " }\n")); });
      EXPECT_NE(message.find("solver.sinkhorn." + storage), std::string::npos) << message;
    }
    EXPECT_EQ(read(concat(text, "\"", name, "\"\n")).run.device, "cuda");
  }
  EXPECT_EQ(read(text + "\"neural\"\nsinkhorn = { storage = \"absorbed\" }\n").solver, "neural");
}

TEST(Registry, refuses_an_absorbed_kernel_that_no_update_would_read) {
  const std::string table = "[solver.sinkhorn]\nstorage = \"absorbed16\"\n";
  const std::string sinkhorn = "[solver]\nname = \"sinkhorn\"\n" + table;
  EXPECT_NE(refusal(sinkhorn + "momentum = 1.4\n").find("solver.sinkhorn.momentum"),
            std::string::npos);
  EXPECT_NE(
      refusal("[solver]\nname = \"progot\"\n" + table + "momentum = 0.9\n").find("absorbed16"),
      std::string::npos);
  EXPECT_EQ(read(kProblem + "[solver]\nname = \"sinkhorn\"\n[solver.sinkhorn]\nmomentum = 1.4\n" +
                 "storage = \"absorbed\"\n")
                .solver,
            "sinkhorn");
  for (const char* momentum : {"1.0", "\"adaptive\""}) {
    EXPECT_EQ(read(concat(kProblem, sinkhorn, "momentum = ", momentum, "\n")).solver, "sinkhorn");
  }
  const std::string unbalanced = message_of<ConfigError>([&] {
    read("[problem]\nepsilon = 0.5\nrho = 2\n" + kProblem.substr(kProblem.find("[[problem")) +
         sinkhorn);
  });
  EXPECT_NE(unbalanced.find("problem.rho"), std::string::npos) << unbalanced;
}

TEST(Registry, refuses_what_progot_would_not_do) {
  const std::string progot = "[solver]\nname = \"progot\"\n[solver.sinkhorn]\n";
  for (const auto& [key, setting] : std::vector<std::pair<std::string, std::string>>{
           {"solver.sinkhorn.divergence", "divergence = true"},
           {"solver.sinkhorn.epsilon_decay", "epsilon_decay = { start = 5 }"},
           {"solver.sinkhorn.warm_start", "warm_start = \"gaussian\""}}) {
    const std::string message = refusal(progot + setting + "\n");
    EXPECT_NE(message.find(key + " is given"), std::string::npos) << message;
    EXPECT_EQ(read(kProblem + "[solver]\nname = \"sinkhorn\"\n[solver.sinkhorn]\n" + setting + "\n")
                  .solver,
              "sinkhorn");
  }
  // As they stand in a resolved.toml.
  EXPECT_EQ(read(kProblem + progot + "divergence = false\nwarm_start = \"\"\n").solver, "progot");
}

TEST(Registry, refuses_progot_for_a_cost_without_a_map) {
  const std::string problem = "[problem]\nepsilon = 0.5\ncost = \"euclidean\"\n" +
                              kProblem.substr(kProblem.find("[[problem"));
  EXPECT_EQ(read(problem + "[solver]\nname = \"sinkhorn\"\n").solver, "sinkhorn");
  const std::string message =
      message_of<ConfigError>([&] { read(problem + "[solver]\nname = \"progot\"\n"); });
  for (const char* word : {"progot", "entropic map", "euclidean", "pnorm",
                           "use solver.name = \"neural\" or \"sinkhorn\""}) {
    EXPECT_NE(message.find(word), std::string::npos) << message;
  }
}

TEST(Registry, fills_in_what_all_solvers_share) {
  for (const char* solver : {"sinkhorn", "neural", "progot"}) {
    Configuration configuration =
        read(kProblem + "[solver]\nname = \"" + solver + "\"\n[solver.neural]\nsteps = 2\n");
    TestRun run(world());
    const Problem problem = load_problem(configuration.problem, run.context);
    const Result result = solve(configuration, problem, run.context);
    EXPECT_EQ(result.kind, "eot");
    EXPECT_EQ(result.solver, solver);
    EXPECT_EQ(result.cost, "sqeuclidean");
    EXPECT_EQ(result.epsilon, .5);
    EXPECT_EQ(result.epsilon_relative, .5 / problem.statistics.mean);
    EXPECT_EQ(result.n, (std::vector<std::int64_t>{20, 15}));
    EXPECT_EQ(result.d, (std::vector<std::int64_t>{2, 2}));
    ASSERT_TRUE(result.reference);
    EXPECT_EQ(result.reference->value, problem.reference->value);
    EXPECT_EQ(result.own.contains("steps"), std::string(solver) == "neural");
    EXPECT_GE(result.seconds.total, result.seconds.solve);

    const std::string plan = describe_plan(configuration, problem, run.context);
    EXPECT_NE(plan.find(concat("eot by ", solver, ": 20 x 15 points, d = 2")), std::string::npos)
        << plan;
  }
}

}  // namespace
}  // namespace kantor::test
