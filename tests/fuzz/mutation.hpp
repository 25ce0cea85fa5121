#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kantor::fuzz {

/// What the inputs are made from.
struct Material {
  std::vector<std::string> seeds;  ///< whole inputs
  std::vector<std::string> words;  ///< pieces that mean something to the parser
};

/// Input number `index` of a sequence: a seed, changed a few times at random places (letters,
/// pieces taken out, doubled or put in, numbers, words). A pure function of its arguments.
std::string mutated(const Material& material, std::uint64_t seed, std::uint64_t index);

}  // namespace kantor::fuzz
