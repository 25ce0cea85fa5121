#include <iostream>
#include <optional>

#include "distributed/together.hpp"
#include "launch/build_info.hpp"
#include "launch/output_directory.hpp"
#include "launch/run_directory.hpp"
#include "launch/summary.hpp"
#include "launch/verbs.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"

namespace kantor::launch {
namespace {

int dry_run(const LoadedConfiguration& loaded, const Problem& problem, Session& session,
            Context& context) {
  const std::string plan = describe_plan(loaded.typed, problem, context);
  if (session.is_first()) {
    std::cout << plan << (plan.ends_with('\n') ? "\n" : "\n\n")
              << resolved_toml(loaded.resolved, problem) << std::flush;
  }
  return 0;
}

/// Everything that is known before the first step; from here on the run is on record.
RunDirectory open_directory(const RunArguments& arguments, const LoadedConfiguration& loaded,
                            const Problem& problem, const RunFacts& facts, Session& session) {
  RunDirectory directory(arguments.out);
  directory.set_status({.state = "running", .reason = "", .step = 0});
  directory.copy_in(arguments.problem, "problem.toml");
  directory.write_text("resolved.toml", resolved_toml(loaded.resolved, problem));
  directory.write_text("environment.json", environment_json(facts, session.command_line));
  session.log.open_file(directory.file("log.txt"));
  session.metrics = metrics::MetricsFile(directory.file("metrics.jsonl"));
  session.log.info(version_line());
  for (const std::string& line : opening_lines(loaded.typed, problem, facts)) {
    session.log.info(line);
  }
  session.log.info("run directory " + directory.path());
  return directory;
}

Result solve_and_time(const LoadedConfiguration& loaded, const Problem& problem, Session& session,
                      Context& context) {
  const double setup_s = monotonic_seconds() - session.start_s;
  Result result = solve(loaded.typed, problem, context);
  result.seconds.setup += setup_s;
  result.seconds.total = monotonic_seconds() - session.start_s;
  return result;
}

void close_directory(const RunDirectory& directory, const Result& result, const RunFacts& facts) {
  directory.write_result(result, facts);
  directory.set_status({.state = result.converged.value_or(true) ? "done" : "not converged",
                        .reason = "",
                        .step = result.steps.value_or(result.iterations)});
}

/// The numbers, for a person or a pipe: stdout, and log.txt.
void print_summary(const Result& result, const RunDirectory& directory, Session& session) {
  std::vector<std::string> lines = closing_lines(result);
  lines.push_back("  results in     " + directory.path());
  for (const std::string& line : lines) {
    session.log.detail(line);
    if (!session.quiet) std::cout << line << '\n';
  }
  std::cout << std::flush;
}

}  // namespace

int run(const RunArguments& arguments, const LoadedConfiguration& loaded, Session& session) {
  Context context = session.context();
  together(session.world, "checking the run directory", [&] {
    if (session.is_first() && !arguments.dry_run) check_output_directory(arguments.out);
  });
  const Problem problem = load_problem(loaded.typed.problem, context);
  if (arguments.dry_run) return dry_run(loaded, problem, session, context);

  RunFacts facts = gather_facts(session);
  std::optional<RunDirectory> directory;  // rank 0's
  try {
    together(session.world, "creating the run directory", [&] {
      if (session.is_first()) {
        directory = open_directory(arguments, loaded, problem, facts, session);
      }
    });
    const Result result = solve_and_time(loaded, problem, session, context);
    facts.peak_memory_bytes = gather_facts(session).peak_memory_bytes;
    together(session.world, "writing the results", [&] {
      if (session.is_first()) close_directory(*directory, result, facts);
    });
    if (session.is_first()) {
      print_summary(result, *directory, session);
      if (!result.converged.value_or(true)) {
        session.log.warn(not_converged_line(result, loaded.typed));
      }
    }
    return static_cast<int>(result.converged.value_or(true) ? ExitCode::done
                                                            : ExitCode::not_converged);
  } catch (const std::exception& error) {
    if (directory) {
      session.log.detail(concat("failed: ", error.what()));
      directory->set_failed(error.what());
    }
    throw;
  }
}

}  // namespace kantor::launch
