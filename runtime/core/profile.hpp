#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "runtime/core/process.hpp"

namespace kantor {

/// Where the time of this rank's training steps goes, as its host sees it, by phases that whoever
/// times them names.
class Profile {
 public:
  /// Gives phases their places, in this order, also where nothing of them will be timed.
  void list(std::initializer_list<std::string_view> phases) {
    for (const std::string_view phase : phases) place_of(phase);
  }

  /// What work() returns, its time added to a phase.
  template <class Work>
  decltype(auto) timed(std::string_view phase, const Work& work) {
    const Section section(*this, place_of(phase));
    return work();
  }

  /// Forgets the times, but not the phases.
  void restart() {
    for (auto& [phase, seconds] : seconds_) seconds = 0;
  }

  /// Each phase's share of a total time, by name, and what they leave of it: "other".
  std::vector<std::pair<std::string, double>> shares(double total_s) const {
    std::vector<std::pair<std::string, double>> result;
    double rest = 1;
    for (const auto& [phase, seconds] : seconds_) {
      result.emplace_back(phase, seconds / total_s);
      rest -= seconds / total_s;
    }
    result.emplace_back("other", rest);
    return result;
  }

 private:
  class Section {
   public:
    Section(Profile& profile, std::size_t place)
        : profile_(profile), place_(place), start_s_(monotonic_seconds()) {}
    ~Section() { profile_.seconds_[place_].second += monotonic_seconds() - start_s_; }
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    Profile& profile_;
    std::size_t place_;
    double start_s_;
  };

  std::size_t place_of(std::string_view phase) {
    const auto found = std::find_if(seconds_.begin(), seconds_.end(),
                                    [&](const auto& each) { return each.first == phase; });
    const auto place = static_cast<std::size_t>(found - seconds_.begin());
    if (found == seconds_.end()) seconds_.emplace_back(phase, 0.0);
    return place;
  }

  std::vector<std::pair<std::string, double>> seconds_;
};

}  // namespace kantor
