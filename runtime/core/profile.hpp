#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/process.hpp"

namespace kantor {

enum class Phase { data, forward, soft_min, backward, communication, update };
inline constexpr std::array kPhaseNames = {"data",     "forward",       "soft_min",
                                           "backward", "communication", "update"};

/// Where the time of this rank's training steps goes, as its host sees it.
class Profile {
 public:
  /// What work() returns, its time added to a phase.
  template <class Work>
  decltype(auto) timed(Phase phase, const Work& work) {
    const Section section(seconds_[static_cast<std::size_t>(phase)]);
    return work();
  }

  /// Each phase's share of a total time, by name, and what they leave of it: "other".
  std::vector<std::pair<std::string, double>> shares(double total_s) const {
    std::vector<std::pair<std::string, double>> result;
    double rest = 1;
    for (std::size_t i = 0; i < seconds_.size(); ++i) {
      result.emplace_back(kPhaseNames[i], seconds_[i] / total_s);
      rest -= seconds_[i] / total_s;
    }
    result.emplace_back("other", rest);
    return result;
  }

 private:
  class Section {
   public:
    explicit Section(double& seconds) : seconds_(seconds), start_s_(monotonic_seconds()) {}
    ~Section() { seconds_ += monotonic_seconds() - start_s_; }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    double& seconds_;
    double start_s_;
  };

  std::array<double, kPhaseNames.size()> seconds_{};
};

}  // namespace kantor
