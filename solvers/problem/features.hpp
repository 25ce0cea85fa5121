#pragma once

// What a problem offers to those who solve it, and what is said to those who need more.

#include <cstdint>
#include <initializer_list>
#include <string>

#include "solvers/problem/problem.hpp"

namespace kantor {

enum class Feature : unsigned {
  points,                  ///< of which the costs are made
  entropic_map,            ///< to move points along
  held_marginals,          ///< both, exactly: without a penalty
  costs_within_marginals,  ///< between points of one of them
  gaussian_form,           ///< a closed form of the cost between Gaussians
};

class Features {
 public:
  constexpr Features(std::initializer_list<Feature> all) {
    for (const Feature each : all) add(each);
  }
  constexpr void add(Feature feature) { bits_ |= 1U << static_cast<unsigned>(feature); }
  constexpr bool has(Feature feature) const {
    return (bits_ >> static_cast<unsigned>(feature) & 1U) != 0;
  }
  /// Those of this set that are not in the other.
  constexpr Features without(Features other) const {
    Features left = *this;
    left.bits_ &= ~other.bits_;
    return left;
  }
  constexpr bool is_empty() const { return bits_ == 0; }

 private:
  std::uint32_t bits_ = 0;
};

bool has_entropic_map(kernels::CostKind cost);

Features offered_by(const ProblemConfig& problem);

/// @param who    needs them: `solver.name = "progot"`.
/// @param remedy "leave it out".
/// @throws ConfigError: `WHO needs points, which problem.cost = "matrix" does not offer; REMEDY`.
void require(Features needed, const ProblemConfig& problem, const std::string& who,
             const std::string& remedy);

}  // namespace kantor
