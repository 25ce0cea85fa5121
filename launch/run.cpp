#include <algorithm>
#include <filesystem>
#include <iostream>
#include <optional>

#include "distributed/collectively.hpp"
#include "launch/build_info.hpp"
#include "launch/data_faults.hpp"
#include "launch/finished_run.hpp"
#include "launch/identity.hpp"
#include "launch/json_files.hpp"
#include "launch/output_directory.hpp"
#include "launch/run_checkpoints.hpp"
#include "launch/run_directory.hpp"
#include "launch/stop_requests.hpp"
#include "launch/summary.hpp"
#include "launch/torch_setup.hpp"
#include "launch/verbs.hpp"
#include "runtime/checkpoint/run_lock.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/shortened.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::launch {
namespace {

/// What `--resume` finds.
enum class Found { nothing, untouched, unfinished, finished, not_converged };

bool has_finished(Found found) { return found == Found::finished || found == Found::not_converged; }

/// Collective. @return what rank 0 is to warn of.
std::string look_at_start(const LoadedConfiguration& loaded, const Problem& problem,
                          Session& session) {
  std::string note;
  const auto check_start = entry_of(loaded.typed).check_start;
  collectively(session.world, "checking the warm start", [&] {
    if (check_start != nullptr && session.is_first()) {
      note = check_start(loaded.typed.tables, problem);
    }
  });
  return note;
}

int dry_run(const LoadedConfiguration& loaded, const Problem& problem, Session& session,
            Context& context) {
  const std::string plan = describe_plan(loaded.typed, problem, context);
  if (session.is_first()) {
    std::cout << plan << (plan.ends_with('\n') ? "\n" : "\n\n")
              << resolved_toml(loaded.resolved, problem, "") << std::flush;
  }
  return 0;
}

/// Nothing, or the lock of a run that was killed before it could write anything, or a request to
/// stop after the first step.
bool is_untouched(const std::string& out) {
  std::error_code ignored;  // whoever cannot read it will not be able to lock it either
  for (const auto& entry : std::filesystem::directory_iterator(out, ignored)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("LOCK") && name != "STOP") return false;
  }
  return true;
}

Found look_at(const std::string& out) {
  std::error_code ignored;
  if (std::filesystem::exists(out + "/" + run_files::kResult, ignored)) {
    return read_result(out).find_as<bool>("converged").value_or(true) ? Found::finished
                                                                      : Found::not_converged;
  }
  if (!std::filesystem::is_directory(out, ignored)) return Found::nothing;
  if (std::filesystem::is_empty(out, ignored)) return Found::nothing;
  if (!std::filesystem::exists(out + "/STATUS", ignored)) {
    if (is_untouched(out)) return Found::untouched;
    throw ConfigError(concat("cannot resume in ", out, ": it holds no run (no STATUS in it); name ",
                             "the run directory with --out"));
  }
  // Left alone, it stops automatic restarts too.
  if (std::filesystem::exists(out + "/STOP", ignored)) {
    throw ConfigError(concat("cannot resume in ", out, ": the file ", out, "/STOP asks its runs ",
                             "to stop; remove it to go on"));
  }
  return Found::unfinished;
}

/// Why the folder of another run is not taken, and what can be done.
std::string refusal_of_filled(const std::string& out) {
  const Status status = parse_status(read_text_file(out + "/STATUS"));
  const std::string start = concat("output directory ", out, " holds a ");
  const std::string end = "; nothing is written over: choose another with --out";
  if (status.state == "done" || status.state == "not converged") {
    return concat(start, "finished run", end);
  }
  if (status.state == "failed") {
    const std::string reason = status.reason.substr(0, status.reason.find('\n'));
    return concat(start, "run that failed (", shortened(reason, 300), ")", end,
                  " and mend what failed it; --resume goes on with the same input alone, where a ",
                  "disk or ranks had failed");
  }
  return concat(start, "run", end, ", or go on with a stopped run by --resume");
}

/// A directory that is there is refused; if a run is at work in it, saying which.
void check_is_new(const std::string& out) {
  std::error_code ignored;
  if (std::filesystem::exists(out + "/LOCK", ignored) && checkpoint::RunLock::is_held(out)) {
    const checkpoint::RunLock refused(out);
  }
  const bool is_filled =
      std::filesystem::is_directory(out, ignored) && !std::filesystem::is_empty(out, ignored);
  if (is_filled && (std::filesystem::exists(out + "/STATUS", ignored) || is_untouched(out))) {
    throw ConfigError(refusal_of_filled(out));
  }
  check_output_directory(out);
}

/// Locks the run directory and goes on with its log; whatever else is in it stays for now.
void claim_directory(std::optional<RunDirectory>& opened, const RunArguments& arguments,
                     Found found, Session& session) {
  if (found == Found::nothing) {
    opened.emplace(arguments.out);
  } else {
    if (checkpoint::RunLock::is_held(arguments.out)) {
      session.log.info(concat("another run holds ", arguments.out, "; waiting for its end"));
    }
    // The other ranks wait meanwhile, until their deadline.
    opened.emplace(arguments.out, std::min(10.0, session.run.timeout_s / 2));
    if (has_finished(look_at(arguments.out))) {
      throw ConfigError(concat(arguments.out, " was finished by another run just now"));
    }
  }
  session.log.open_file(opened->file("log.txt"));
  if (!opened->is_locked_by_kernel()) {
    session.log.info(concat("the file system of ", arguments.out,
                            " knows no locks (flock): a file ",
                            "LOCK.N with a heartbeat keeps other runs out"));
  }
}

/// Everything that is known before the first step; from here on the run is on record.
void start_record(RunDirectory& directory, const RunArguments& arguments,
                  const LoadedConfiguration& loaded, const Problem& problem, const RunFacts& facts,
                  std::int64_t step, Session& session) {
  directory.remove_leftovers();
  directory.set_status({.state = "running", .reason = "", .step = std::max<std::int64_t>(step, 0)});
  directory.write_text("problem.toml", loaded.text);
  directory.write_text(run_files::kResolved,
                       resolved_toml(loaded.resolved, problem, directory.path()));
  directory.write_text("environment.json", environment_json(facts, session.command_line));
  session.metrics = metrics::MetricsFile(directory.file("metrics.jsonl"));
  session.log.info(version_line());
  for (const std::string& line : opening_lines(loaded.typed, problem, facts)) {
    session.log.info(line);
  }
  if (!facts.gpu_libraries.empty()) session.log.info(facts.gpu_libraries);
  if (!facts.shared_gpus.empty()) session.log.warn(facts.shared_gpus);
  session.log.info("run directory " + directory.path());
  if (!arguments.resume) return;
  session.log.info(step >= 0 ? concat("resumed from step ", step)
                             : "no checkpoint to resume from: starting at step 0");
}

RunIdentity identity_of(const LoadedConfiguration& loaded, const Problem& problem,
                        const RunFacts& facts) {
  const BuildInfo build = build_info();
  RunIdentity identity;
  identity.config_text = identity_toml(loaded);
  identity.config_hash = hash_of(identity.config_text);
  for (const Cloud& cloud : problem.clouds) {
    identity.data_fingerprints.push_back(cloud.marginal.fingerprint());
    identity.data_names.push_back(cloud.marginal.name());
  }
  identity.environment = {{"kantor", build.version},
                          {"revision", build.revision},
                          {"mpi", build.mpi},
                          {"instruction_set", facts.instruction_set},
                          {"threads_per_rank", concat(facts.threads)}};
  return identity;
}

Result solve_and_time(const LoadedConfiguration& loaded, const Problem& problem, Session& session,
                      Context& context) {
  const double setup_s = monotonic_seconds() - session.start_s;
  Result result = solve(loaded.typed, problem, context);
  if (!result.model.empty()) {  // what of a point of marginal 0, as its file has it, it takes
    Record input;
    input.set("scale", loaded.typed.problem.marginals[0].scale);
    input.set("unit_length", problem.cost.on_unit_sphere);
    result.model.set("input", input);
  }
  result.seconds.setup += setup_s;
  result.seconds.total = monotonic_seconds() - session.start_s;
  return result;
}

void close_directory(RunDirectory& directory, const Result& result, const RunFacts& facts) {
  directory.write_result(result, facts);
  directory.set_status({.state = result.converged.value_or(true) ? "done" : "not converged",
                        .reason = "",
                        .step = result.iterations});
}

/// The numbers, for a person or a pipe: stdout, and log.txt.
void print_summary(const Record& result, const RunDirectory& directory, Session& session) {
  std::vector<std::string> lines = closing_lines(result);
  lines.push_back("  results in     " + directory.path());
  for (const std::string& line : lines) {
    session.log.detail(line);
    if (!session.quiet) std::cout << line << '\n';
  }
  std::cout << std::flush;
}

int finish(const Result& result, RunDirectory* directory, const RunFacts& facts, Session& session) {
  collectively(session.world, "writing the results", [&] {
    if (directory != nullptr) close_directory(*directory, result, facts);
  });
  if (directory != nullptr) {
    print_summary(result_record(result, facts), *directory, session);
    for (const std::string& line : result.advice) session.log.warn(line);
  }
  return static_cast<int>(result.converged.value_or(true) ? ExitCode::done
                                                          : ExitCode::not_converged);
}

/// Collective: whoever was asked, rank 0 says why.
int leave_stopped(const Stopped& stopped, RunDirectory* directory, const StopRequests& stop,
                  const RunCheckpoints& checkpoints, Session& session) {
  const std::string reason = reason_of(session.world.agree(stop.cause(), "why to stop"));
  collectively(session.world, "writing STATUS", [&] {
    if (directory == nullptr) return;
    const std::int64_t saved = checkpoints.newest_step();
    session.log.info(concat(
        "stopped at step ", stopped.step, " by ", reason, "; ",
        saved == stopped.step ? "the state is saved, --resume goes on" : "--resume goes on"));
    if (saved != stopped.step) {
      session.log.warn(saved < 0 ? "no checkpoint could be written"
                                 : concat("the newest checkpoint is of step ", saved));
    }
    directory->set_status({.state = "stopped", .reason = reason, .step = stopped.step});
  });
  return static_cast<int>(ExitCode::resume);
}

}  // namespace

int run(const RunArguments& arguments, const LoadedConfiguration& loaded, Session& session) {
  Found found = Found::nothing;
  collectively(session.world, "checking the run directory", [&] {
    if (!session.is_first() || arguments.dry_run) return;
    if (arguments.resume) found = look_at(arguments.out);
    if (found == Found::nothing) check_is_new(arguments.out);
  });
  found =
      static_cast<Found>(session.world.agree(static_cast<std::int64_t>(found), "what is there"));
  if (has_finished(found)) {
    collectively(session.world, "comparing settings and data", [&] {
      if (session.is_first()) check_same_run(arguments.out, loaded);
    });
    session.log.info(concat("the run in ", arguments.out, " has finished; nothing to resume"));
    return static_cast<int>(found == Found::finished ? ExitCode::done : ExitCode::not_converged);
  }
  if (!arguments.dry_run) {
    collectively(session.world, "finding the device",
                 [&] { static_cast<void>(device_stream(session.run, session.world)); });
  }
  StopRequests stop({.stop_file = session.is_first() ? arguments.out + "/STOP" : "",
                     .deadline_s = deadline_of(session.start_s, session.run.max_wall_s)});
  RunCheckpoints checkpoints(session.run, arguments.out + "/checkpoints", session.world,
                             session.log);
  Context context = session.context(checkpoints, &stop);
  const Problem problem = load_problem(loaded.typed.problem, context);
  std::string start_note;  // a run that goes on starts from its own state
  if (found != Found::unfinished) start_note = look_at_start(loaded, problem, session);
  if (arguments.dry_run) return dry_run(loaded, problem, session, context);
  // What does not fit is refused before anything is written.
  if (found == Found::nothing) static_cast<void>(describe_plan(loaded.typed, problem, context));

  RunFacts facts = gather_facts(session);
  const RunIdentity identity = identity_of(loaded, problem, facts);
  std::optional<RunDirectory> opened;  // rank 0's
  RunDirectory* directory = nullptr;   // the same, once the run is on record
  std::optional<AtDataFault> record_of_fault;
  try {
    collectively(session.world, "creating the run directory", [&] {
      if (session.is_first()) claim_directory(opened, arguments, found, session);
    });
    if (arguments.resume) checkpoints.load(identity);
    if (found == Found::unfinished && checkpoints.restored() == nullptr) {
      start_note = look_at_start(loaded, problem, session);
    }
    collectively(session.world, "writing the run directory", [&] {
      if (!opened) return;
      directory = &*opened;
      record_of_fault.emplace(
          [directory](const Error& error) { directory->set_failed(error.what()); });
      start_record(*directory, arguments, loaded, problem, facts, checkpoints.newest_step(),
                   session);
      checkpoints.start(identity, stop, [directory, &session](std::int64_t step) {
        try {
          directory->set_status({.state = "running", .reason = "", .step = step});
        } catch (const IoError& error) {  // the checkpoint is there; STATUS is only about it
          session.log.warn(error.what());
        }
      });
    });
    if (!session.is_first() && session.world.backend_name() == "mpi") {
      record_of_fault.emplace(
          [&arguments](const Error& error) { mark_failed(arguments.out, error.what()); });
    }
    if (!start_note.empty()) session.log.warn_once(start_note);
    const Result result = solve_and_time(loaded, problem, session, context);
    collectively(session.world, "comparing the data", [&] { check_unchanged(problem); });
    facts.peak_memory_bytes = gather_facts(session).peak_memory_bytes;
    return finish(result, directory, facts, session);
  } catch (const Stopped& stopped) {
    return leave_stopped(stopped, directory, stop, checkpoints, session);
  } catch (const std::exception& error) {
    session.log.detail(concat("failed: ", error.what()));
    if (directory != nullptr) directory->set_failed(error.what());
    throw;
  }
}

}  // namespace kantor::launch
