#pragma once

#include <cstdint>
#include <functional>

#include "distributed/context.hpp"
#include "runtime/metrics/progress.hpp"
#include "solvers/eot/pauses.hpp"

namespace kantor {

/// The passes in double that price what was solved, which may take longer than the solve: a line of
/// progress, and between their parts requests to stop and saves. The evaluation itself has no
/// state: a run that goes on makes it again.
class EvaluationProgress final : public Pauses {
 public:
  /// @param num_passes as a rule; where there are many more, however short, requests are heard
  ///                   before each of these, too.
  /// @param step       of the state that is evaluated.
  /// @param save       saves that state; called on all ranks alike. Empty: it is saved already.
  EvaluationProgress(std::int64_t num_passes, std::int64_t step, std::function<void()> save,
                     Context& context);

  void begin(std::int64_t num_parts) override;
  void pause() override;
  /// Ends the line of progress.
  void finish();

 private:
  void ask();

  Context& context_;
  std::int64_t num_passes_;
  std::int64_t step_;
  std::function<void()> save_;
  bool is_saved_ = false;
  std::int64_t pass_ = 0;
  std::int64_t num_parts_ = 1;
  std::int64_t part_ = 0;
  bool has_paused_ = false;
  metrics::Progress progress_;
};

}  // namespace kantor
