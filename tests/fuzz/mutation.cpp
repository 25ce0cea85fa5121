#include "tests/fuzz/mutation.hpp"

#include <algorithm>
#include <random>

namespace kantor::fuzz {
namespace {

constexpr std::size_t kLongestInput = std::size_t{1} << 16;

class Mutator {
 public:
  Mutator(const Material& material, std::uint64_t seed, std::uint64_t index)
      : material_(material), random_(seed * 0x9E3779B97F4A7C15u ^ index) {}

  std::string make() {
    std::string input = one_of(material_.seeds);
    for (std::size_t left = 1 + below(8); left > 0; --left) change(input);
    if (input.size() > kLongestInput) input.resize(kLongestInput);
    return input;
  }

 private:
  std::size_t below(std::size_t limit) { return random_() % std::max<std::size_t>(limit, 1); }
  const std::string& one_of(const std::vector<std::string>& all) { return all[below(all.size())]; }

  void change(std::string& input) {
    const std::size_t at = below(input.size() + 1);
    const std::size_t length = below(std::min<std::size_t>(input.size() - at, 64) + 1);
    switch (below(9)) {
      case 0:  // another letter
        if (at < input.size()) input[at] = static_cast<char>(below(256));
        return;
      case 1:  // another bit
        if (at < input.size()) input[at] = static_cast<char>(input[at] ^ (1 << below(8)));
        return;
      case 2:
        input.erase(at, length);
        return;
      case 3:
        input.insert(at, one_of(material_.words));
        return;
      case 4: {  // a piece many times over
        const std::string piece = input.substr(at, length);
        for (std::size_t left = below(below(10) == 0 ? 2000 : 4); left > 0; --left) {
          if (input.size() + piece.size() > kLongestInput) return;
          input.insert(at, piece);
        }
        return;
      }
      case 5: {  // the rest of another seed
        const std::string& other = one_of(material_.seeds);
        input = input.substr(0, at) + other.substr(below(other.size() + 1));
        return;
      }
      case 6:  // a number
        input.replace(at, std::min<std::size_t>(length, 4), std::to_string(random_() >> below(64)));
        return;
      case 7:
        input.replace(at, length, one_of(material_.words));
        return;
      default:
        input.resize(at);
    }
  }

  const Material& material_;
  std::mt19937_64 random_;
};

}  // namespace

std::string mutated(const Material& material, std::uint64_t seed, std::uint64_t index) {
  return Mutator(material, seed, index).make();
}

}  // namespace kantor::fuzz
