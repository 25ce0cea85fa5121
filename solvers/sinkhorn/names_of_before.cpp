#include "solvers/sinkhorn/names_of_before.hpp"

#include <string>

#include "runtime/core/error.hpp"

namespace kantor::sinkhorn {

namespace {

using checkpoint::Snapshot;

/// Every name that begins so begins otherwise from here on.
void rename(Snapshot& state, const std::string& before, const std::string& now) {
  const auto renamed = [&](auto& entries) {
    auto old = std::move(entries);
    entries.clear();
    for (auto& [name, value] : old) {
      entries[name.starts_with(before) ? now + name.substr(before.size()) : name] = value;
    }
  };
  renamed(state.metadata.numbers);
  renamed(state.metadata.integers);
  for (checkpoint::Tensor& tensor : state.tensors) {
    if (tensor.name.starts_with(before)) tensor.name = now + tensor.name.substr(before.size());
  }
}

}  // namespace

Snapshot in_names_of_today(Snapshot state) {
  for (const std::string cloud : {"xx", "yy"}) {
    const std::string scope = concat("stage.sinkhorn ", cloud, "/");
    const std::string step = concat("stage.sinkhorn ", cloud, ".loop_step");
    if (!state.metadata.integers.contains(step)) continue;
    rename(state, step, scope + "step");
    rename(state, "symmetric.", scope + "symmetric.");
  }
  const auto solved = state.metadata.integers.find("progot.solved");
  if (solved == state.metadata.integers.end()) return state;
  const std::string scope = concat("progot.", solved->second, "/");
  state.metadata.integers.erase(solved);
  rename(state, "progot.loop_step", scope + "step");
  rename(state, "sinkhorn.", scope + "sinkhorn.");
  rename(state, "stage.progot, self.loop_step", scope + "self/step");
  rename(state, "symmetric.", scope + "self/symmetric.");
  rename(state, "stage.progot.", scope + "solve.");
  return state;
}

}  // namespace kantor::sinkhorn
