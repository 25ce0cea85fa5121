#include "tests/support/fake_gpu/faults.hpp"

#include <unistd.h>

#include <cstdlib>
#include <mutex>
#include <sstream>
#include <stdexcept>
#include <vector>

#include "tests/support/fake_gpu/fake_gpu.hpp"

namespace kantor::fake_gpu {
namespace {

struct Fault {
  std::string function;
  int number = 0;
  std::string what;
  int rank = -1;  // -1: all
};

std::vector<Fault> parse(const std::string& text) {
  std::vector<Fault> faults;
  std::istringstream list(text);
  for (std::string one; std::getline(list, one, ';');) {
    std::istringstream fields(one);
    std::vector<std::string> parts;
    for (std::string part; std::getline(fields, part, ':');) parts.push_back(part);
    if (parts.size() < 3 || parts.size() > 4) throw std::runtime_error("bad fault: " + one);
    faults.push_back(
        {parts[0], std::stoi(parts[1]), parts[2], parts.size() == 4 ? std::stoi(parts[3]) : -1});
  }
  return faults;
}

std::string environment(const char* variable) {
  const char* text = std::getenv(variable);
  return text == nullptr ? "" : text;
}

struct State {
  std::mutex mutex;  // ncclCommAbort comes from a thread of its own
  std::vector<Fault> faults = parse(environment("KANTOR_FAKE_FAULTS"));
  std::map<std::string, int> calls;
  bool has_fired = false;
  int polls = setting("KANTOR_FAKE_POLLS", 0);
  int delay = setting("KANTOR_FAKE_DELAY", 0);
};

State& state() {
  static State the_state;
  return the_state;
}

[[noreturn]] void hang() {
  while (true) pause();
}

Action action_of(const std::string& what) {
  if (what == "hang") hang();
  if (what == "pending") return {Kind::pending, 0};
  if (what == "nothing") return {Kind::nothing, 0};
  if (what.starts_with("async=")) return {Kind::async, std::stoi(what.substr(6))};
  return {Kind::code, std::stoi(what)};
}

}  // namespace

int setting(const char* variable, int otherwise) {
  const std::string text = environment(variable);
  return text.empty() ? otherwise : std::stoi(text);
}

int own_rank() { return setting("OMPI_COMM_WORLD_RANK", 0); }
int polls() { return state().polls; }
void set_polls(int polls) { state().polls = polls; }
int delay() { return state().delay; }
void set_delay(int polls) { state().delay = polls; }

Action next(const char* function) {
  std::string what;
  {
    const std::lock_guard lock(state().mutex);
    const int number = ++state().calls[function];
    for (const Fault& fault : state().faults) {
      if (fault.function != function || fault.number != number) continue;
      if (fault.rank >= 0 && fault.rank != own_rank()) continue;
      state().has_fired = true;
      what = fault.what;
    }
  }
  return what.empty() ? Action{} : action_of(what);
}

void inject(const std::string& faults) {
  const std::lock_guard lock(state().mutex);
  state().faults = parse(faults);
  state().calls.clear();
  state().has_fired = false;
}

bool has_fired() {
  const std::lock_guard lock(state().mutex);
  return state().has_fired;
}

std::map<std::string, int> calls() {
  const std::lock_guard lock(state().mutex);
  return state().calls;
}

}  // namespace kantor::fake_gpu
