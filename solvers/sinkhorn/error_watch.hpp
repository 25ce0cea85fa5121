#pragma once

// What the errors of an iteration say about going on.

#include "distributed/context.hpp"
#include "solvers/sinkhorn/implausible.hpp"
#include "solvers/sinkhorn/iteration.hpp"
#include "solvers/sinkhorn/stall_detector.hpp"

namespace kantor::sinkhorn {

/// @throws NumericError (on all ranks) of NaN.
void check_is_number(double error, std::int64_t iterations, const char* label,
                     const Communicator& world);

/// Where the iteration stalls, takes too large a weight, or cannot be right. Of the errors at the
/// problem's own epsilon: while epsilon falls, a plan is measured at a smaller one than its columns
/// were made at.
class ErrorWatch {
 public:
  ErrorWatch(const Stopping& stopping, bool has_exact_columns, const char* label, Context& context);

  /// @param momentum chooses the next weight.
  /// @throws NumericError (on all ranks) of errors that no plan can have.
  void observe(double error, MomentumControl& momentum, Report& report);

 private:
  void observe(double error, MomentumControl& momentum, std::int64_t iterations) const;

  const Stopping& stopping_;
  const char* label_;
  Context& context_;
  StallDetector stall_;
  Implausible implausible_;
};

}  // namespace kantor::sinkhorn
