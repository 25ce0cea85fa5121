#pragma once

// A result with the keys and arrays of all solvers as members, each under its name and type.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "solvers/result.hpp"
#include "solvers/stored_run.hpp"

namespace kantor::test {

struct Outcome {
  struct Shape {
    double entropy = 0;
    std::optional<double> normalised_entropy, diagonal_mass, identity_kl;
  };
  struct Divergence {
    double value = 0, lower = 0, upper = 0, xx = 0, yy = 0;
    std::vector<std::int64_t> iterations;
  };
  struct Storage {
    std::string form;
    std::int64_t bytes_per_rank = 0;
    std::optional<double> predicted_seconds_per_iteration, seconds_per_iteration;
    std::optional<double> predicted_seconds_to_store;
    double seconds_to_store = 0;
    std::int64_t refreshes = 0;
  };
  struct LastStep {
    double epsilon = 0, transport_cost = 0, objective = 0, dual_value = 0;
  };
  struct Certificate {
    double dual_value = 0, solved_value = 0, upper_value = 0, relative_gap = 0, gap_nats = 0;
    std::int64_t iterations = 0;
    std::vector<double> marginal_error;
  };
  using Numbers = std::vector<double>;
  using Counts = std::vector<std::int64_t>;

  Outcome() = default;
  // NOLINTNEXTLINE(google-explicit-constructor): what a solver gives back is one.
  Outcome(const Result& result)
      : whole(result),
        kind(result.kind),
        solver(result.solver),
        objective(result.objective),
        transport_cost(result.transport_cost),
        kl(result.kl),
        dual_value(result.dual_value.value_or(0)),
        marginal_error(result.marginal_error),
        converged(result.converged),
        iterations(result.iterations),
        model(result.model),
        tensors(result.tensors),
        potentials(arrays_of(run_files::kPotentials)),
        certificate_potentials(arrays_of(run_files::kCertificate)),
        self_potentials(arrays_of(run_files::kSelfPotentials)) {
    for (const Array& array : result.arrays) {
      if (array.name == run_files::kPoints) points = array.values;
    }
    read_own(result.own);
  }

  Result whole;
  std::string kind, solver;
  std::optional<double> objective, transport_cost, kl;
  double dual_value = 0;
  Numbers marginal_error;
  std::optional<bool> converged;
  std::int64_t iterations = 0;
  Record model;
  std::vector<data::NamedTensor> tensors;
  std::vector<Numbers> potentials, certificate_potentials, self_potentials;
  Numbers points;

  std::optional<double> mass, marginal_penalty, samples_per_second, held_out_dual;
  std::optional<std::int64_t> fallback_iterations, steps, skipped_steps;
  Numbers epsilons, alphas;
  Counts iterations_per_step, evaluation_points;
  std::vector<bool> converged_per_step;
  std::optional<Shape> shape;
  std::optional<Divergence> divergence;
  std::optional<Storage> storage;
  std::optional<LastStep> last_step;
  std::optional<Certificate> certificate;
  Record profile;

 private:
  std::vector<Numbers> arrays_of(const std::string& folder) const {
    std::vector<Numbers> found;
    for (const Array& array : whole.arrays) {
      if (array.name.starts_with(folder + "/")) found.push_back(array.values);
    }
    return found;
  }
  void read_own(const Record& own) {
    const auto number = [&](const std::string& name) { return own.find_as<double>(name); };
    const auto count = [&](const std::string& name) { return own.find_as<std::int64_t>(name); };
    const auto numbers = [&](const std::string& name) {
      return own.find_as<Numbers>(name).value_or(Numbers());
    };
    const auto counts = [&](const std::string& name) {
      return own.find_as<Counts>(name).value_or(Counts());
    };
    mass = number("mass");
    marginal_penalty = number("marginal_penalty");
    samples_per_second = number("samples_per_second");
    held_out_dual = number("held_out_dual");
    fallback_iterations = count("fallback_iterations");
    steps = count("steps");
    skipped_steps = count("skipped_steps");
    epsilons = numbers("epsilons");
    alphas = numbers("alphas");
    iterations_per_step = counts("iterations_per_step");
    evaluation_points = counts("evaluation_points");
    converged_per_step =
        own.find_as<std::vector<bool>>("converged_per_step").value_or(std::vector<bool>());
    profile = own.find_as<Record>("profile").value_or(Record());
    if (own.contains("entropy")) {
      shape = {own.number("entropy"), number("normalised_entropy"), number("diagonal_mass"),
               number("identity_kl")};
    }
    if (own.contains("divergence")) {
      divergence = {own.number("divergence.value"), own.number("divergence.lower"),
                    own.number("divergence.upper"), own.number("divergence.xx"),
                    own.number("divergence.yy"),    counts("divergence.iterations")};
    }
    if (own.contains("storage")) {
      storage = {own.get<std::string>("storage.form"),
                 own.get<std::int64_t>("storage.bytes_per_rank"),
                 number("storage.predicted_seconds_per_iteration"),
                 number("storage.seconds_per_iteration"),
                 number("storage.predicted_seconds_to_store"),
                 number("storage.seconds_to_store").value_or(0),
                 count("storage.refreshes").value_or(0)};
    }
    if (own.contains("last_step")) {
      last_step = {own.number("last_step.epsilon"), own.number("last_step.transport_cost"),
                   own.number("last_step.objective"), own.number("last_step.dual_value")};
    }
    if (own.contains("certificate")) {
      certificate = {
          own.number("certificate.dual_value"),  own.number("certificate.solved_value"),
          own.number("certificate.upper_value"), number("certificate.relative_gap").value_or(0),
          own.number("certificate.gap_nats"),    *count("certificate.iterations"),
          numbers("certificate.marginal_error")};
    }
  }
};

}  // namespace kantor::test
