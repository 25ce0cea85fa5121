#pragma once

// What a solver gives back; launch/ writes it as result.json (schema 1) and arrays.
// The scalars are the same on every rank.

#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace kantor {

/// Proof of quality: dual_value <= optimum <= upper_value on the evaluated points.
struct Certificate {
  double dual_value = 0;    ///< of the learned potentials
  double solved_value = 0;  ///< dual value after the iterations
  double upper_value = 0;   ///< objective of the rounded plan
  double relative_gap = 0;  ///< of dual_value to upper_value
  double gap_nats = 0;      ///< (upper_value - dual_value) / epsilon
  std::int64_t iterations = 0;
  std::vector<double> marginal_error;  ///< L1, one per marginal, of the plan before rounding
};

/// (upper - lower) / |upper|; 0 where nothing lies between the two, not even a unit to tell it in.
inline double relative_gap(double lower, double upper) {
  return upper == lower ? 0 : (upper - lower) / std::abs(upper);
}

struct Reference {
  double value = 0;
  std::string source;
};

struct Seconds {
  double setup = 0;
  double solve = 0;
  double certificate = 0;
  double total = 0;
};

/// How spread out a plan is (neural: the certificate's), and, if both marginals have as many
/// points, how near the identity.
struct PlanDiagnostics {
  double entropy = 0;  ///< - sum P log P, of the rounded plan
  /// (entropy - the larger entropy of a marginal) / the smaller: 0 for a matching, 1 for
  /// independence.
  std::optional<double> normalised_entropy = {};
  std::optional<double> diagonal_mass = {};  ///< sum_i P_ii; rows exact, not rounded
  std::optional<double> identity_kl = {};    ///< sum_i a_i log(a_i / P_ii), if the weights agree
};

/// The last solve of ProgOT, between the moved cloud and the target, at an epsilon of its own.
struct LastStep {
  double epsilon = 0;
  double transport_cost = 0;  ///< of the same rounded plan, at the costs of the moved cloud
  double objective = 0;       ///< upper and
  double dual_value = 0;      ///< lower bound of this step's optimum
};

/// Sinkhorn divergence: OT(mu, nu) - (OT(mu, mu) + OT(nu, nu)) / 2.
struct Divergence {
  double value = 0;  ///< of the dual values
  double lower = 0;  ///< lower <= the divergence <= upper
  double upper = 0;
  double xx = 0;  ///< OT(mu, mu), dual value
  double yy = 0;
  std::vector<std::int64_t> iterations;  ///< of xx and yy
};

/// How costs were stored: what was predicted, and what came.
struct StorageReport {
  std::string form;  ///< "streamed", "materialised", "absorbed", "absorbed16"
  std::int64_t bytes_per_rank = 0;
  std::optional<double> predicted_seconds_per_iteration = {};  ///< absent on a GPU
  std::optional<double> seconds_per_iteration = {};  ///< the mean; absent if there was none
  /// Once; absorbed: at each refresh.
  std::optional<double> predicted_seconds_to_store = {};
  double seconds_to_store = 0;  ///< in all
  std::int64_t refreshes = 0;
};

struct Result {
  std::string kind;    ///< "eot"
  std::string solver;  ///< "neural", "sinkhorn", "progot"
  std::string cost;
  double epsilon = 0;
  double epsilon_relative = 0;  ///< epsilon / mean cost
  std::vector<std::int64_t> n;
  std::vector<std::int64_t> d;
  std::optional<double> objective;  ///< transport_cost + epsilon kl, of the rounded plan
  std::optional<double> transport_cost;
  std::optional<double> kl;
  std::optional<double> mass;  ///< unbalanced: of the plan
  /// Unbalanced: rho_x KL(P1 | a) + rho_y KL(P^T1 | b), part of the objective.
  std::optional<double> marginal_penalty;
  double dual_value = 0;  ///< of the solver's own potentials
  std::vector<double> marginal_error;
  std::optional<bool> converged;
  std::int64_t iterations = 0;
  /// Sinkhorn: iterations with columns that had all but vanished, which took a second pass.
  std::optional<std::int64_t> fallback_iterations;
  bool has_wide_gap = false;  ///< sinkhorn, progot: which is why it has not converged; for advice
  bool is_stalled = false;    ///< Sinkhorn: more iterations would not have helped; for advice only
  std::optional<StorageReport> storage;  ///< sinkhorn, progot
  Seconds seconds;
  std::optional<Reference> reference;
  std::optional<PlanDiagnostics> shape;
  std::optional<Divergence> divergence;

  // progot: one entry per solve
  std::vector<double> epsilons;
  std::vector<double> alphas;
  std::vector<std::int64_t> iterations_per_step;
  std::vector<bool> converged_per_step;
  std::optional<LastStep> last_step;
  /// [n, d] row-major: the moved cloud that the last solve started from. Whole on rank 0.
  std::vector<double> points;

  // neural
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> skipped_steps;
  std::optional<double> samples_per_second;
  /// Shares of rank 0's training time: data, forward, soft_min, ..
  std::vector<std::pair<std::string, double>> profile;
  std::optional<double> held_out_dual;
  std::vector<std::int64_t>
      evaluation_points;  ///< points per marginal, where fewer than all were used
  std::optional<Certificate> certificate;

  /// One per marginal, input order, gauge sum_i a_i f_i = 0. Whole on rank 0, empty elsewhere.
  std::vector<std::vector<double>> potentials;
  std::vector<std::vector<double>> certificate_potentials;
  /// With divergence: of each marginal against itself. Whole on rank 0, empty elsewhere.
  std::vector<std::vector<double>> self_potentials;

  /// Networks, if the solver has any: flat list of named tensors, and their structure as JSON text
  /// (model.json).
  struct Tensor {
    std::string name;
    std::vector<std::int64_t> shape;
    std::vector<double> values;
    bool is_double = false;  ///< stored so, whatever run.precision is
  };
  std::vector<Tensor> model;
  std::string model_json;
};

/// The values of the tensor with this name and shape, if it is there and whole; else null.
inline const std::vector<double>* find_values(const std::vector<Result::Tensor>& tensors,
                                              const std::string& name,
                                              const std::vector<std::int64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
  for (const Result::Tensor& tensor : tensors) {
    if (tensor.name == name && tensor.shape == shape && tensor.values.size() == count) {
      return &tensor.values;
    }
  }
  return nullptr;
}

}  // namespace kantor
