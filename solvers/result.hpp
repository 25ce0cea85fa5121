#pragma once

// What a solver gives back; launch/ writes it as result.json (schema 1) and arrays.
// What is no array is the same on every rank.

#include <cmath>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/data/safetensors.hpp"
#include "runtime/record/record.hpp"

namespace kantor {

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

/// A line of the closing summary: what is said of a solver's own keys.
struct Line {
  std::string label;
  std::string text;
  std::string before = {};  ///< the label of a common line; "" = behind them all
};

/// A file <name>.npy of the run folder. Whole on rank 0, not there on the others.
struct Array {
  std::string name;
  std::vector<std::int64_t> shape;
  std::vector<double> values;  ///< row-major
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
  std::optional<double> dual_value;  ///< of the solver's own potentials
  std::vector<double> marginal_error;
  std::optional<bool> converged;
  std::int64_t iterations = 0;
  Seconds seconds;
  std::optional<Reference> reference;

  Record own;                       ///< the solver's own keys, at the top level of result.json
  std::vector<std::string> advice;  ///< one line each: what to be warned of, what would change it

  std::vector<Array> arrays;
  Record model;  ///< model.json: what the tensors are; empty without any
  std::vector<data::NamedTensor> tensors;

  /// potentials/k, .. in the gauge sum_i a_i f_i = 0; or those of another folder. No array without
  /// values.
  void add_potentials(const std::string& folder, std::vector<std::vector<double>> potentials) {
    for (std::size_t k = 0; k < potentials.size(); ++k) {
      const auto count = static_cast<std::int64_t>(potentials[k].size());
      arrays.push_back({folder + "/" + std::to_string(k), {count}, std::move(potentials[k])});
    }
  }
};

/// The values of the tensor with this name and shape, if it is there and whole; else null.
inline const std::vector<double>* find_values(const std::vector<data::NamedTensor>& tensors,
                                              const std::string& name,
                                              const std::vector<std::int64_t>& shape) {
  std::uint64_t count = 1;
  for (const std::int64_t size : shape) count *= static_cast<std::uint64_t>(size);
  for (const data::NamedTensor& tensor : tensors) {
    if (tensor.name == name && tensor.shape == shape && tensor.values.size() == count) {
      return &tensor.values;
    }
  }
  return nullptr;
}

}  // namespace kantor
