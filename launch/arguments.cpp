#include "launch/arguments.hpp"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>

#include "launch/build_info.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor::launch {
namespace {

constexpr const char* kAbout =
    "kantor: large entropic optimal transport on many processes, with a proof of the answer.";

constexpr const char* kExamples = R"(Examples:
  kantor run problem.toml                     solve, on one process
  mpirun -np 4 kantor run problem.toml        the same problem, shared by 4 processes
  kantor run problem.toml --set solver.name=sinkhorn --out runs/baseline
  kantor eval runs/problem --points new.npy --out mapped
  kantor inspect runs/problem                 what a run, checkpoint or data file holds
  kantor keys solver.sinkhorn                 what may be set there, and what it means
  mpirun -np 4 kantor doctor                  whether this machine is in order

`kantor VERB --help` has more. Exit codes: 0 done, 2 usage, 3 input data, 4 not
converged (results written), 70 numerical failure, 74 I/O, 75 stopped or a rank
lost (--resume goes on), 78 configuration or an output directory in use.)";

constexpr const char* kRunExamples = R"(PROBLEM.toml, at its shortest:
  [problem]
  cost = "sqeuclidean"       # half_sqeuclidean, dot, euclidean, cosine, pnorm
  epsilon = 0.5              # or { relative = "mean", scale = 0.05 }
  [[problem.marginals]]
  path = "x.npy"             # .npy, .safetensors, idx-ubyte(.gz)
  [[problem.marginals]]
  path = "y.npy"

Any key can be set from here (values as in TOML; the last one wins):
  --set solver.name=sinkhorn --set problem.epsilon=0.1 --set run.threads=2

The run directory holds result.json, potentials/*.npy, model.safetensors, metrics.jsonl,
log.txt, checkpoints, the configuration and the environment. It must be new, unless --resume
goes on with a run that was stopped (Ctrl-C, SIGUSR1, a file STOP in it, run.max_wall_s) or lost.)";

constexpr const char* kEvalExamples =
    R"(Writes potential.npy [n] and, where the cost has one, the entropic map to the other
marginal, map.npy [n, d], in the units of the run. Points are treated as the run treated
those of its own file: multiplied by the `scale` of their marginal, unless --as-is.

Example:
  kantor eval runs/problem --points new.npy --marginal 0 --out runs/problem-new

Exit codes: 0 done; 2 no such run; 3 points, data or results of the run are missing,
damaged or changed; 78 the run has not finished, or --out is in use.)";

constexpr const char* kInspectExamples =
    R"(PATH is a run directory (also of a run that is running or was killed), a checkpoint, a data
file (.npy, idx-ubyte(.gz), .safetensors) or a problem file. Nothing is written.

Examples:
  kantor inspect runs/problem
  kantor inspect train-images-idx3-ubyte.gz

Exit codes: 0, also for a run that failed; 2 no such path; 3 it is damaged.)";

constexpr const char* kKeysExamples =
    R"(Without TABLE: the tables of a problem file. With it: each key of that table, with its
default, type and range, and what it means.

Examples:
  kantor keys
  kantor keys solver.sinkhorn

Exit codes: 0 done; 2 there is no such table.)";

constexpr const char* kDoctorExamples =
    R"(One line a check: ok, warn or FAIL, and then what to do. Under mpirun all ranks take part, and
what only some of them met is said with their numbers. Leaves nothing behind.

Examples:
  kantor doctor
  mpirun -np 4 kantor doctor --out /scratch/runs

Exit codes: 0 nothing failed; 78 at least one FAIL.)";

/// Flags of an app with their dashes, for suggestions.
std::vector<std::string> flags_of(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames()) flags.push_back("--" + name);
    for (const std::string& name : option->get_snames()) flags.push_back("-" + name);
  }
  return flags;
}

std::string suggestion(const std::string& word, const std::vector<std::string>& known) {
  const std::string near = nearest(word, known);
  return near.empty() ? concat("known are ", join(known)) : concat("did you mean ", near, "?");
}

/// @param command "kantor" or "kantor run".
[[noreturn]] void refuse(const std::string& word, const CLI::App& app, const std::string& command) {
  if (word.starts_with("-")) {
    const std::string flag = word.substr(0, word.find('='));
    const char* hint = command == "kantor run" ? " (configuration keys: --set key=value)" : "";
    throw UsageError(concat("unknown flag ", flag, " of ", command, "; ",
                            suggestion(flag, flags_of(app)), hint));
  }
  throw UsageError(concat("unexpected word '", word, "' after the arguments of ", command, "; see ",
                          command, " --help"));
}

void require(const std::string& value, const char* name, const std::string& command) {
  if (value.empty()) {
    throw UsageError(concat(command, " needs ", name, "; see ", command, " --help"));
  }
}

/// CLI11's own messages may have several lines.
std::string one_line(std::string text) {
  std::replace(text.begin(), text.end(), '\n', ' ');
  while (text.ends_with(' ')) text.pop_back();
  return text;
}

/// The parser and the structs that it fills.
struct Parser {
  CLI::App app{kAbout, "kantor"};
  CLI::App* run_verb = nullptr;
  CLI::App* eval_verb = nullptr;
  CLI::App* inspect_verb = nullptr;
  CLI::App* keys_verb = nullptr;
  CLI::App* doctor_verb = nullptr;
  RunArguments run;
  EvalArguments eval;
  InspectArguments inspect;
  KeysArguments keys;
  DoctorArguments doctor{.out = "runs"};

  Parser() {
    // Extras and missing arguments are refused below, by name; CLI11 would stop at the first rule
    // broken and knows no nearest name.
    app.allow_extras();
    app.require_subcommand(0, 1);
    app.set_help_flag("-h,--help", "Print this help");
    app.set_version_flag("--version", version_line(), "Print the version");
    app.footer(kExamples);
    app.get_formatter()->column_width(26);
    add_run();
    add_eval();
    add_inspect();
    add_keys();
    add_doctor();
  }
  Parser(const Parser&) = delete;
  Parser& operator=(const Parser&) = delete;

 private:
  void add_run() {
    run_verb = app.add_subcommand("run", "Solve a problem, on one process or under mpirun");
    run_verb->allow_extras();
    run_verb->add_option("PROBLEM", run.problem, "The problem, a TOML file")->type_name("FILE");
    run_verb->add_option("--set", run.settings, "Set a configuration key; repeatable")
        ->type_name("KEY=VALUE")
        ->allow_extra_args(false);
    run_verb->add_option("--out", run.out, "Run directory [runs/<stem of PROBLEM>]")
        ->type_name("DIR");
    run_verb->add_flag("--resume", run.resume,
                       "Go on from the newest checkpoint in the run directory");
    run_verb->add_flag("--dry-run", run.dry_run,
                       "Print the plan and the resolved configuration, write nothing");
    run_verb->add_flag("--quiet", run.quiet, "Print errors and warnings only");
    run_verb->footer(kRunExamples);
  }

  void add_eval() {
    eval_verb = app.add_subcommand("eval", "Potential and entropic map of a run at new points");
    eval_verb->allow_extras();
    eval_verb->add_option("RUN_DIR", eval.run_directory, "A finished run")->type_name("DIR");
    eval_verb
        ->add_option("--points", eval.points,
                     "New points [n, d]: .npy, .safetensors, idx-ubyte(.gz)")
        ->type_name("FILE");
    eval_verb->add_option("--key", eval.key, "Their tensor in a .safetensors file")
        ->type_name("NAME");
    eval_verb->add_option("--marginal", eval.marginal, "The marginal they belong to, 0 or 1 [0]")
        ->type_name("INT");
    eval_verb->add_flag("--as-is", eval.as_is,
                        "They are scaled already: leave out the `scale` of their marginal");
    eval_verb->add_flag("--debiased", eval.debiased,
                        "Subtract the map of the marginal to itself (runs with divergence)");
    eval_verb
        ->add_option("--data-root", eval.data_root,
                     "Folder that holds the run's data now, if they have moved")
        ->type_name("DIR");
    eval_verb->add_option("--out", eval.out, "Folder to write; must be new")->type_name("DIR");
    eval_verb->footer(kEvalExamples);
  }

  void add_inspect() {
    inspect_verb =
        app.add_subcommand("inspect", "What a run directory, checkpoint or data file holds");
    inspect_verb->allow_extras();
    inspect_verb->add_option("PATH", inspect.path, "A file or run directory")->type_name("PATH");
    inspect_verb->footer(kInspectExamples);
  }

  void add_keys() {
    keys_verb = app.add_subcommand("keys", "What a problem file may hold: keys and their meaning");
    keys_verb->allow_extras();
    keys_verb->add_option("TABLE", keys.table, "Such as solver.sinkhorn")->type_name("TABLE");
    keys_verb->footer(kKeysExamples);
  }

  void add_doctor() {
    doctor_verb = app.add_subcommand("doctor", "Check processor, libraries, ranks, GPUs and disk");
    doctor_verb->allow_extras();
    doctor_verb->add_option("--out", doctor.out, "Where runs will be written [runs]")
        ->type_name("DIR");
    doctor_verb->footer(kDoctorExamples);
  }
};

std::vector<std::string> verbs_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* verb : app.get_subcommands({})) names.push_back(verb->get_name());
  return names;
}

void check_words(const Parser& parser) {
  const std::vector<CLI::App*> chosen = parser.app.get_subcommands();
  if (chosen.empty()) {
    const std::vector<std::string> extras = parser.app.remaining();
    const std::vector<std::string> verbs = verbs_of(parser.app);
    if (extras.empty()) {
      throw UsageError(concat("no verb given; verbs are ", join(verbs), "; see kantor --help"));
    }
    if (extras.front().starts_with("-")) refuse(extras.front(), parser.app, "kantor");
    throw UsageError(
        concat("unknown verb '", extras.front(), "'; ", suggestion(extras.front(), verbs)));
  }
  const std::vector<std::string> before = parser.app.remaining();
  if (!before.empty()) refuse(before.front(), parser.app, "kantor");
  const std::vector<std::string> extras = chosen.front()->remaining();
  if (!extras.empty()) {
    // A flag that is not known may have had a value, which then looks like one word too many.
    const auto flag = std::find_if(extras.begin(), extras.end(),
                                   [](const std::string& word) { return word.starts_with("-"); });
    refuse(flag == extras.end() ? extras.front() : *flag, *chosen.front(),
           "kantor " + chosen.front()->get_name());
  }
}

/// A folder's path without "..", which the kernel refuses behind one that is not there; links are
/// followed as it does.
std::string without_parents(const std::string& folder) {
  const std::filesystem::path path = folder;
  if (std::find(path.begin(), path.end(), "..") == path.end()) return folder;
  std::error_code failure;  // then whoever uses it fails, and says so
  const auto full = std::filesystem::absolute(path, failure);
  const auto whole = std::filesystem::weakly_canonical(full, failure);
  return failure ? folder : whole.string();
}

RunArguments checked(RunArguments run) {
  require(run.problem, "a problem file", "kantor run");
  if (run.out.empty()) run.out = "runs/" + std::filesystem::path(run.problem).stem().string();
  run.out = without_parents(run.out);
  return run;
}

EvalArguments checked(EvalArguments eval) {
  require(eval.run_directory, "a run directory", "kantor eval");
  require(eval.points, "--points FILE", "kantor eval");
  require(eval.out, "--out DIR", "kantor eval");
  eval.out = without_parents(eval.out);
  if (!eval.data_root.empty() && !std::filesystem::is_directory(eval.data_root)) {
    throw UsageError(concat("--data-root ", eval.data_root, ": there is no such folder"));
  }
  if (eval.marginal < 0 || eval.marginal > 1) {
    throw UsageError(concat("--marginal ", eval.marginal, ": a run has the marginals 0 and 1"));
  }
  return eval;
}

}  // namespace

Arguments parse_arguments(const std::vector<std::string>& words) {
  Parser parser;
  try {
    parser.app.parse(
        std::vector<std::string>(words.rbegin(), words.rend()));  // CLI11 takes them reversed
  } catch (const CLI::CallForHelp&) {
    return Answer{parser.app.help()};
  } catch (const CLI::CallForVersion& version) {
    return Answer{std::string(version.what()) + "\n"};
  } catch (const CLI::ParseError& error) {
    throw UsageError(concat(one_line(error.what()), "; see kantor --help"));
  }
  check_words(parser);
  if (parser.run_verb->parsed()) return checked(parser.run);
  if (parser.eval_verb->parsed()) return checked(parser.eval);
  if (parser.inspect_verb->parsed()) {
    require(parser.inspect.path, "a path", "kantor inspect");
    return parser.inspect;
  }
  if (parser.keys_verb->parsed()) return parser.keys;
  require(parser.doctor.out, "a folder behind --out", "kantor doctor");
  parser.doctor.out = without_parents(parser.doctor.out);
  return parser.doctor;
}

}  // namespace kantor::launch
