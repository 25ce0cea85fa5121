#include "solvers/sinkhorn/iteration.hpp"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "distributed/larger.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/metrics/progress.hpp"
#include "solvers/sinkhorn/implausible.hpp"
#include "solvers/sinkhorn/pass.hpp"
#include "solvers/sinkhorn/refinement.hpp"
#include "solvers/sinkhorn/stall_detector.hpp"

namespace kantor::sinkhorn {

namespace {

/// Points of zero weight do not steer the iteration; they get their potential at the end.
template <class T>
void complete_zero_weights(const ShardedPairs<T>& problem, std::span<const double> f,
                           std::vector<double>& g) {
  const std::span<const double> b = problem.b();
  if (std::find(b.begin(), b.end(), 0.0) == b.end()) return;
  std::vector<double> transformed(g.size());
  problem.transform_to_y(f, transformed);
  for (std::size_t j = 0; j < g.size(); ++j) {
    if (b[j] == 0) g[j] = damping(problem.penalty().y, problem.epsilon()) * transformed[j];
  }
}

/// The loop's state between iterations.
template <class T>
class Iteration {
 public:
  Iteration(const ShardedPairs<T>& problem, const Stopping& stopping, std::vector<double>& f,
            std::vector<double>& g, Context& context)
      : problem_(problem),
        stopping_(stopping),
        momentum_(stopping.momentum, stopping.tolerance),
        f_(f),
        g_(g),
        context_(context),
        kernel_(format_of(problem.storage())) {
    const bool is_given = !f.empty() || problem.a().empty();
    has_f_ = context.world.agree(is_given ? 0 : 1, "warm start") == 0;
    if (!has_f_) f.clear();
    is_measured_ = has_f_;
    // Without f, momentum starts from f = 0 if g is 0 too; else from the first plain update.
    starts_at_zero_ = std::all_of(g.begin(), g.end(), [](double value) { return value == 0; });
    step_ = next_step();
  }

  /// The pass over the pairs from (f, g): measures them, and finds the next f.
  /// @param save this rank wants the state saved; what a snapshot needs may be on all ranks.
  Pass pass(bool save) {
    step_ = next_step();
    reads_kernel_ = problem_.is_absorbed() && !is_finishing_ && takes_kernel(problem_, step_);
    const double start = monotonic_seconds();
    Pass pass =
        sweep(problem_, step_, has_f_ ? std::span<const double>(f_) : std::span<const double>(), g_,
              save, reads_kernel_ ? &kernel_ : nullptr, context_);
    is_exact_ = !reads_kernel_ || (pass.is_refreshed && kernel_.is_coded());
    if (pass.is_refreshed) {
      ++report.refreshes;
      report.refresh_s += pass.refresh_s;
      refinement_.refreshed(column_error(pass));
    }
    pass_s_ += monotonic_seconds() - start - pass.refresh_s;
    return pass;
  }
  /// Whether the pass before read the costs themselves, be it to make the kernel.
  bool is_exact() const { return is_exact_; }
  /// Whether it did not, but should before more is done with it.
  bool is_refresh_due(double error) {
    return !is_exact_ && kernel_.is_coded() &&
           refinement_.is_due(error, kernel_.drift(g_, problem_.b()));
  }
  /// The next pass does, and from here on all of them, unless the kernel is one to be refined.
  void look_exactly() {
    if (kernel_.is_coded()) {
      kernel_.forget();
      refinement_.check();
    } else {
      is_finishing_ = true;
    }
  }
  /// Of (f, g), whether measured or not. A kernel in codes leaves its columns wrong, too: by no
  /// more than rows and, with the f that follows, columns together.
  double error(const Pass& pass) const {
    const double error = pass.previous_error + column_error_;
    return reads_kernel_ && is_exact_ ? larger(error, column_error(pass)) : error;
  }
  bool is_measured() const { return is_measured_; }

  void update(Pass& pass) {
    const double start = monotonic_seconds();
    const ColumnUpdate update = update_g(problem_, step_, pass, g_);
    f_ = std::move(pass.f);
    column_error_ = update.error;
    has_f_ = true;
    report.fallbacks += update.fell_back ? 1 : 0;
    ++report.iterations;
    is_measured_ = true;
    // Not before a snapshot is made.
    if (kernel_.is_coded() && refinement_.has_led_nowhere() && !is_finishing_) leave_codes();
    time(pass_s_ + monotonic_seconds() - start);
    pass_s_ = 0;
  }

  void observe(double error) {
    if (is_at_problem_epsilon(report.iterations - 1)) {
      fall_.observe(report.iterations, stopping_.max_iterations, error);
      report.is_stalled = fall_.has_stalled();
    }
    if (reads_kernel_ && is_exact_) refinement_.measured(error);
    if (!is_at_problem_epsilon(report.iterations - 1) || momentum_.has_given_up()) return;
    momentum_.observe(error);
    if (!momentum_.has_given_up()) return;
    context_.log.warn_once(concat("solver.sinkhorn.momentum = ", stopping_.momentum.weight,
                                  " is too much: the marginal error rose to ", error, " after ",
                                  report.iterations, " iterations; plain updates from here on"));
  }
  /// Whether (f, g) was found at the epsilon of the problem.
  bool is_at_problem_epsilon(std::int64_t iteration) const {
    return stopping_.decay.multiple(iteration) == 1;
  }

  /// g after an iteration whose error has been measured: the next f follows from it, to the bit;
  /// with momentum, from both. Collective.
  checkpoint::Snapshot snapshot() const {
    checkpoint::Snapshot state;
    state.metadata.step = report.iterations;
    state.metadata.integers["sinkhorn.fallbacks"] = report.fallbacks;
    state.tensors.push_back(
        checkpoint::make_tensor("sinkhorn.g", {std::ssize(g_)}, std::span<const double>(g_)));
    if (problem_.is_absorbed()) {
      const std::span<const double> absorbed = kernel_.potentials();  // [M], or none yet
      state.metadata.integers["sinkhorn.is_finishing"] = is_finishing_ ? 1 : 0;
      state.tensors.push_back(
          checkpoint::make_tensor("sinkhorn.absorbed_g", {std::ssize(absorbed)}, absorbed));
      if (problem_.storage() == Storage::absorbed16) {
        state.metadata.integers["sinkhorn.has_left_codes"] = kernel_.is_coded() ? 0 : 1;
        refinement_.save(state);
      }
    }
    if (stopping_.momentum.is_plain()) return state;
    state.metadata.integers["sinkhorn.has_f"] = has_f_ ? 1 : 0;
    state.metadata.numbers["sinkhorn.weight"] = step_.weight;  // of the pass that is made again
    const std::vector<double> control = momentum_.state();
    add_f(state);
    state.tensors.push_back(
        checkpoint::make_tensor("sinkhorn.momentum", {std::ssize(control)}, std::span(control)));
    return state;
  }

  /// After look_exactly(): the pair that the next pass is to judge. Collective.
  checkpoint::Snapshot snapshot_to_judge() const {
    checkpoint::Snapshot state = snapshot();
    if (stopping_.momentum.is_plain()) add_f(state);
    state.metadata.numbers["sinkhorn.column_error"] = column_error_;
    return state;
  }

  void restore(const checkpoint::Snapshot& state) {
    const std::int64_t shape[] = {std::ssize(g_)};
    g_ = state.values<double>("sinkhorn.g", shape);
    report.iterations = state.metadata.step;
    report.fallbacks = state.metadata.integer("sinkhorn.fallbacks");
    const auto to_judge = state.metadata.numbers.find("sinkhorn.column_error");
    is_measured_ = to_judge != state.metadata.numbers.end();
    if (is_measured_) column_error_ = to_judge->second;
    if (problem_.is_absorbed()) restore_kernel(state);
    has_f_ = is_measured_;
    if (!stopping_.momentum.is_plain()) {
      const std::int64_t control[] = {MomentumControl::kStateSize};
      momentum_.restore(state.values<double>("sinkhorn.momentum", control));
      restored_weight_ = state.metadata.number("sinkhorn.weight");
      has_f_ = state.metadata.integer("sinkhorn.has_f") != 0;
    }
    if (!has_f_) return;
    const std::int64_t rows[] = {problem_.n()};
    const std::vector<double> all_f = state.values<double>("sinkhorn.f", rows);
    f_.assign(all_f.begin() + problem_.rows().first, all_f.begin() + problem_.rows().last);
  }

  Report report;

 private:
  void leave_codes() {
    const Storage next = problem_.form_of_tail();
    context_.log.detail(concat("iteration ", report.iterations,
                               ": the kernel in 16 bits leads no further; from here on ",
                               name_of(next)));
    if (is_absorbed(next)) {
      kernel_ = kernels::AbsorbedKernel<T>(format_of(next));
    } else {
      is_finishing_ = true;
    }
  }

  void time(double seconds) {
    report.seconds_per_iteration =
        num_timed_ < 2 ? seconds
                       : report.seconds_per_iteration + (seconds - report.seconds_per_iteration) /
                                                            static_cast<double>(num_timed_);
    ++num_timed_;
  }

  void add_f(checkpoint::Snapshot& state) const {
    const std::vector<double> all_f = problem_.gather_x(f_);
    state.tensors.push_back(
        checkpoint::make_tensor("sinkhorn.f", {std::ssize(all_f)}, std::span(all_f)));
  }

  /// At the potentials that it held, so that the next pass gives the same bits.
  void restore_kernel(const checkpoint::Snapshot& state) {
    is_finishing_ = state.metadata.integer("sinkhorn.is_finishing") != 0;
    if (problem_.storage() == Storage::absorbed16) {
      refinement_.restore(state);
      const auto left = state.metadata.integers.find("sinkhorn.has_left_codes");
      if (left != state.metadata.integers.end() && left->second != 0) {
        kernel_ = kernels::AbsorbedKernel<T>(kernels::KernelFormat::numbers);
      }
    }
    if (kernel_.is_coded() && is_measured_) refinement_.check();
    if (state.tensor("sinkhorn.absorbed_g").shape == std::vector<std::int64_t>{0}) return;
    const std::int64_t shape[] = {std::ssize(g_)};
    const std::vector<double> absorbed = state.values<double>("sinkhorn.absorbed_g", shape);
    kernel_.absorb(problem_.over_y(absorbed), problem_.a(), context_.pool);
  }

  /// L1, of the columns of the plan of (pass.f, g).
  double column_error(const Pass& pass) const {
    double error = 0;
    for (std::size_t j = 0; j < g_.size(); ++j) {
      error += std::abs(pass.columns[j] - problem_.b()[j]);
    }
    return error;
  }

  Step next_step() {
    // What is returned is measured at the epsilon of the problem, however few iterations there
    // were.
    const bool is_last = report.iterations >= stopping_.max_iterations;
    const double multiple = is_last ? 1 : stopping_.decay.multiple(report.iterations);
    const double weight = has_f_ || starts_at_zero_ ? momentum_.weight() : 1;
    return {multiple * problem_.epsilon(), std::exchange(restored_weight_, {}).value_or(weight)};
  }

  const ShardedPairs<T>& problem_;
  const Stopping& stopping_;
  MomentumControl momentum_;
  std::vector<double>& f_;
  std::vector<double>& g_;
  Context& context_;
  bool has_f_ = false;
  bool is_measured_ = false;  ///< the next pass tells the error of (f, g), which nobody knows yet
  bool starts_at_zero_ = false;
  double column_error_ = 0;
  StallDetector fall_;  ///< of the error
  kernels::AbsorbedKernel<T> kernel_;
  Refinement refinement_;  ///< of a kernel in codes
  bool reads_kernel_ = false;
  bool is_exact_ = true;
  bool is_finishing_ = false;
  double pass_s_ = 0;  ///< of the iteration so far, refreshes left out
  std::int64_t num_timed_ = 0;
  Step step_;  ///< of the pass that is under way
  std::optional<double> restored_weight_;
};

}  // namespace

double EpsilonDecay::multiple(std::int64_t iteration) const {
  if (start <= 1 || iteration < 0) return 1;
  return std::max(start * std::pow(factor, static_cast<double>(iteration)), 1.0);
}

template <class T>
Report iterate(const ShardedPairs<T>& problem, const Stopping& stopping, std::vector<double>& f,
               std::vector<double>& g, Context& context, const char* label, Checkpoints* keep) {
  const double start = monotonic_seconds();
  metrics::Progress progress(
      {.enabled = context.show_progress, .label = label, .total = stopping.known_iterations()});
  Iteration<T> iteration(problem, stopping, f, g, context);
  const bool has_exact_columns = problem.penalty().is_balanced() && stopping.momentum.is_plain();
  Implausible implausible;
  Report& report = iteration.report;
  if (keep != nullptr && is_under_way(*keep)) {
    collectively(context.world, "restoring the potentials",
                 [&] { iteration.restore(*keep->restored()); });
  } else if (keep != nullptr) {
    keep->save(iteration.snapshot());
  }

  for (;;) {
    context.world.at_step(report.iterations + 1);
    Pass pass = iteration.pass(keep != nullptr && keep->due(report.iterations));
    if (iteration.is_measured()) {
      report.marginal_error = iteration.error(pass);
      if (report.iterations == 0) report.first_error = report.marginal_error;
      if (std::isnan(report.marginal_error)) {
        fail_on_all_ranks(context.world,
                          NumericError(concat(label, " met NaN after ", report.iterations,
                                              " iterations; raise problem.epsilon or use "
                                              "run.precision = \"float64\"")));
      }
      report.converged = stopping.tolerance > 0 && report.marginal_error <= stopping.tolerance &&
                         iteration.is_at_problem_epsilon(report.iterations - 1);
      const bool is_last = report.converged || report.iterations >= stopping.max_iterations;
      if ((is_last && !iteration.is_exact()) || iteration.is_refresh_due(report.marginal_error)) {
        iteration.look_exactly();
        if (!pass.stop) continue;  // the same pair again
        if (keep != nullptr) keep->save(iteration.snapshot_to_judge());
        throw Stopped(report.iterations);
      }
      progress.update(report.iterations, "marginal error", report.marginal_error);
      context.metrics.write(
          label, report.iterations,
          {{"marginal_error", report.marginal_error}, {"seconds", monotonic_seconds() - start}});
      if (is_last) break;
      iteration.observe(report.marginal_error);
      // While epsilon falls, a plan is measured at a smaller one than its columns were made at.
      if (has_exact_columns && iteration.is_at_problem_epsilon(report.iterations - 1) &&
          implausible.observe(report.marginal_error)) {
        fail_on_all_ranks(
            context.world,
            NumericError(concat(label, ": the marginal error is ", report.marginal_error, " after ",
                                report.iterations,
                                " iterations, where 2 is the most that a plan can have: the "
                                "costs are too large beside epsilon for run.precision; raise "
                                "problem.epsilon or use \"float64\"")));
      }
      if (keep != nullptr && (pass.stop || pass.save)) keep->save(iteration.snapshot());
      if (pass.stop) throw Stopped(report.iterations);
    }
    iteration.update(pass);
  }
  context.world.at_step(0);
  complete_zero_weights(problem, f, g);
  progress.finish();
  return report;
}

template Report iterate(const ShardedPairs<float>&, const Stopping&, std::vector<double>&,
                        std::vector<double>&, Context&, const char*, Checkpoints*);
template Report iterate(const ShardedPairs<double>&, const Stopping&, std::vector<double>&,
                        std::vector<double>&, Context&, const char*, Checkpoints*);

}  // namespace kantor::sinkhorn
