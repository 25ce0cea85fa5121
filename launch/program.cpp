#include "launch/program.hpp"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "distributed/collectively.hpp"
#include "launch/data_faults.hpp"
#include "launch/finished_run.hpp"
#include "launch/signal_stack.hpp"
#include "launch/stop_requests.hpp"
#include "launch/torch_setup.hpp"
#include "launch/verbs.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/instruction_set.hpp"
#include "runtime/core/out_of_memory.hpp"
#include "runtime/core/shortened.hpp"

namespace kantor::launch {
namespace {

/// What the words asked for and the configuration they name; or the error met on the way.
struct Request {
  Arguments arguments;
  LoadedConfiguration loaded;
  std::exception_ptr failure;
};

Request read_request(const std::vector<std::string>& command_line) {
  Request request;
  try {
    request.arguments = parse_arguments({command_line.begin() + 1, command_line.end()});
    if (const auto* run = std::get_if<RunArguments>(&request.arguments)) {
      request.loaded = load_configuration(run->problem, run->settings);
    } else if (const auto* eval = std::get_if<EvalArguments>(&request.arguments)) {
      request.loaded = load_finished_run(eval->run_directory, eval->data_root);
      // How eval is started says which ranks there are, not how the run was.
      request.loaded.typed.run.backend = "auto";
      request.loaded.typed.run.ranks = 0;
    } else {
      request.loaded.resolved.data = config::Table{};
    }
  } catch (...) {
    request.failure = std::current_exception();
  }
  return request;
}

/// A message as one line that can be read: libraries below add traces after the first, and what is
/// quoted in it may be as long as a file.
std::string one_line(const std::string& message) {
  constexpr std::size_t kLongest = 1000;
  return shortened(message.substr(0, message.find('\n')), kLongest);
}

void print_error(const std::string& message, int rank, int size) {
  const std::string where = size > 1 ? concat("[rank ", rank, "] ") : "";
  const std::string line = concat("kantor: error: ", where, one_line(message), "\n");
  std::fflush(stdout);
  std::fputs(line.c_str(), stderr);  // one call: lines of several ranks do not mix
  std::fflush(stderr);
}

int exit_code_of(const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  return static_cast<int>(known == nullptr ? ExitCode::internal : known->exit_code());
}

/// Tells of a failure that others may have met too (a lost peer, a diverged training): the lower
/// ranks get the first word, and the rest do not repeat it: on other hosts they are gone before.
void speak_for_all(Communicator& world, const std::exception& error) {
  std::this_thread::sleep_for(std::chrono::milliseconds(300) * std::min(world.rank(), 10));
  if (world.take_the_word()) print_error(error.what(), world.rank(), world.size());
}

/// Ends all ranks from one that failed where the others may not have.
[[noreturn]] void leave_alone(Communicator& world, const std::exception& error) {
  speak_for_all(world, error);
  world.abort(exit_code_of(error));
  std::abort();  // not reached; GCC 12 does not see it through the virtual call
}

int dispatch(const Request& request, Session& session) {
  if (const auto* arguments = std::get_if<RunArguments>(&request.arguments)) {
    return run(*arguments, request.loaded, session);
  }
  if (const auto* arguments = std::get_if<DoctorArguments>(&request.arguments)) {
    return doctor(*arguments, session);
  }
  return eval(std::get<EvalArguments>(request.arguments), request.loaded, session);
}

bool is_doctor(const Request& request) {
  return std::holds_alternative<DoctorArguments>(request.arguments);
}

/// Collective. Ranks that solve different problems would wait for each other for ever.
void check_agreement(const Request& request, Communicator& world) {
  const auto* run = std::get_if<RunArguments>(&request.arguments);
  const std::int64_t work = is_doctor(request) ? 4
                            : run == nullptr   ? 0
                            : run->dry_run     ? 1
                            : run->resume      ? 2
                                               : 3;
  const std::int64_t mine = configuration_hash(request.loaded.resolved) / 8 + work;
  const std::int64_t largest = world.agree(mine, "the configuration");
  const std::int64_t smallest = -world.agree(-mine, "the configuration");
  if (largest != smallest) {
    fail_on_all_ranks(
        world,
        ConfigError("the configurations of the ranks differ (problem file, --set, "
                    "verb, --resume or --dry-run); give all ranks the same command line and file"));
  }
  const std::string fault = is_doctor(request) ? "" : instruction_set_fault(world);
  if (!fault.empty()) fail_on_all_ranks(world, ConfigError(fault));
  const std::string& backend = request.loaded.typed.run.backend;
  const bool is_one_process = backend == "self" || backend == "thread";
  if (is_one_process && world.size() > 1 && world.backend_name() != backend) {
    fail_on_all_ranks(
        world,
        ConfigError(concat("run.backend = \"", backend, "\" is one process, but ", world.size(),
                           " ranks were launched; use \"auto\", or start ", "without mpirun")));
  }
}

bool is_stoppable(const Request& request) {
  const auto* run = std::get_if<RunArguments>(&request.arguments);
  return run != nullptr && !run->dry_run;
}

bool is_quiet(const Request& request) {
  const auto* arguments = std::get_if<RunArguments>(&request.arguments);
  return arguments != nullptr && arguments->quiet;
}

/// Says why, and ends the other ranks if they do not know of it.
int fail(Communicator& world, const std::exception& error) {
  const auto* known = dynamic_cast<const Error*>(&error);
  const bool is_agreed = known != nullptr && known->is_agreed();
  if (world.size() > 1 && !is_agreed) leave_alone(world, error);
  print_error(error.what(), world.rank(), world.size());
  return exit_code_of(error);
}

int run_collectively(const Request& request, Communicator& world,
                     const std::vector<std::string>& command_line) {
  try {
    collectively(world, "reading the request", [&] {
      if (request.failure) std::rethrow_exception(request.failure);
    });
    check_agreement(request, world);
    const RunConfig& run = request.loaded.typed.run;
    // Only a run: what it left can be evaluated where there is no GPU.
    const bool is_run = std::holds_alternative<RunArguments>(request.arguments);
    const auto device = is_run ? make_device_communicator(world, run) : nullptr;
    Communicator& ranks = device ? *device : world;
    Session session(ranks, run, is_quiet(request));
    session.command_line = command_line;
    const int exit_code = dispatch(request, session);
    ranks.finish();
    return exit_code;
  } catch (const PeerError& error) {
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {
    return is_out_of_memory(error) ? fail(world, out_of_memory_error()) : fail(world, error);
  }
}

/// The ranks of this process: the first on this thread, each other on one of its own, which ends
/// with its communicator, so that nobody waits for it. All come to the same code.
int run_ranks(const Request& request, std::vector<std::unique_ptr<Communicator>> ranks,
              const std::vector<std::string>& command_line) {
  const AtDataFault speak([&](const Error& error) { speak_for_all(*ranks.front(), error); });
  std::vector<std::thread> others;
  try {
    for (std::size_t rank = 1; rank < ranks.size(); ++rank) {
      others.emplace_back([&request, &command_line, world = std::move(ranks[rank])] {
        const SignalStack signal_stack;
        set_up_torch_thread();
        run_collectively(request, *world, command_line);
      });
    }
  } catch (const std::system_error& error) {
    leave_alone(*ranks.front(),
                NumericError(concat("started only ", others.size() + 1, " of ", ranks.size(),
                                    " ranks: ", error.what(), "; lower run.ranks")));
  }
  const int exit_code = run_collectively(request, *ranks.front(), command_line);
  ranks.clear();
  for (std::thread& other : others) other.join();
  return exit_code;
}

/// A verb that starts no ranks.
template <class VerbArguments>
int do_alone(int (*verb)(const VerbArguments&), const VerbArguments& arguments) {
  const AtDataFault speak([](const Error& error) { print_error(error.what(), 0, 1); });
  try {
    return verb(arguments);
  } catch (const std::exception& error) {
    print_error(error.what(), 0, 1);
    return exit_code_of(error);
  }
}

int run_words(const std::vector<std::string>& command_line) {
  catch_data_faults();
  Request request = read_request(command_line);
  if (const auto* answer = std::get_if<Answer>(&request.arguments); answer && !request.failure) {
    std::cout << answer->text << std::flush;
    return 0;
  }
  if (const auto* arguments = std::get_if<InspectArguments>(&request.arguments)) {
    return do_alone(inspect, *arguments);
  }
  if (const auto* arguments = std::get_if<KeysArguments>(&request.arguments)) {
    return do_alone(keys, *arguments);
  }
  try {
    hold_libraries_to_instruction_set();
  } catch (...) {  // the ranks agree on it and say it once
    request.failure = std::current_exception();
  }
  try {
    const SignalStack signal_stack;
    if (is_stoppable(request)) catch_stop_signals();
    set_up_torch();
    const RunConfig run = request.failure ? RunConfig{} : request.loaded.typed.run;
    return run_ranks(request, make_ranks(run, is_doctor(request)), command_line);
  } catch (const PeerError& error) {
    return static_cast<int>(error.exit_code());
  } catch (const std::exception& error) {  // there are no ranks to agree with on who says it
    print_error(error.what(), announced_rank(), announced_rank() + 1);
    return exit_code_of(error);
  }
}

/// Why not all of stdout was written; empty where nobody wants to read it (`| head`).
std::string stdout_fault() {
  std::fflush(stdout);
  if (std::ferror(stdout) == 0) return "";
  errno = 0;
  if (write(STDOUT_FILENO, "\n", 1) < 0 && errno == EPIPE) return "";
  return errno == 0 ? "a write failed" : std::generic_category().message(errno);
}

}  // namespace

int run_program(const std::vector<std::string>& command_line) {
  const int exit_code = run_words(command_line);
  const std::string fault = stdout_fault();
  if (fault.empty()) return exit_code;
  print_error(concat("cannot write to stdout: ", fault, "; what a run computed is in its folder"),
              0, 1);
  return exit_code == 0 ? static_cast<int>(ExitCode::io) : exit_code;
}

}  // namespace kantor::launch
