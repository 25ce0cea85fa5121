#include "solvers/sinkhorn/absorbed/absorbed_sweep.hpp"

#include <cmath>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"

namespace kantor::sinkhorn {

namespace {

/// L1, of the columns of the plan of (f, g).
double column_error(const Swept& swept, std::span<const double> b) {
  double error = 0;
  for (std::size_t j = 0; j < b.size(); ++j) error += std::abs(swept.columns[j] - b[j]);
  return error;
}

}  // namespace

template <class T>
bool AbsorbedSweep<T>::takes_kernel(const Step& step) const {
  const ShardedPairs<T>& problem = this->problem_;
  const bool takes_weight = step.weight == 1 || problem.storage() != Storage::absorbed16;
  return takes_weight && problem.penalty().is_balanced() && step.epsilon == problem.epsilon();
}

template <class T>
Swept AbsorbedSweep<T>::run(const Step& step, std::span<const double> previous_f,
                            std::span<const double> g, bool save) {
  reads_kernel_ = !is_finishing_ && takes_kernel(step);
  Swept swept = Sweep<T>::run(step, previous_f, g, save);
  is_exact_ = !reads_kernel_ || (swept.is_refreshed && kernel_.is_coded());
  if (!swept.is_refreshed) return swept;
  const double error = column_error(swept, this->problem_.b());
  refinement_.refreshed(error);
  // Codes leave columns wrong, too: by no more than rows and, with the f that follows, columns
  // together.
  if (kernel_.is_coded()) swept.column_error = error;
  return swept;
}

template <class T>
void AbsorbedSweep<T>::sum_pairs(const Step& step, std::span<const double> g,
                                 const kernels::RowUpdate& update, std::span<double> columns,
                                 Swept& swept) {
  const ShardedPairs<T>& problem = this->problem_;
  if (!reads_kernel_) {
    const kernels::UpdatedColumns wanted[] = {{update, columns}};
    return problem.transform_to_x(g, step.epsilon, wanted, swept.f);
  }
  if (!kernel_.holds(g)) {
    const double start = monotonic_seconds();
    kernel_.absorb(problem.over_y(g), problem.a(), this->context_.pool);
    swept.is_refreshed = true;
    swept.refresh_s = monotonic_seconds() - start;
  }
  kernel_.weights(g, problem.a(), update, this->context_.pool, swept.f, columns);
}

template <class T>
bool AbsorbedSweep<T>::looks_again(double error, std::span<const double> g, bool is_last) {
  if (is_exact_) {
    if (reads_kernel_) refinement_.measured(error);
    return false;
  }
  const bool is_coded = kernel_.is_coded();
  const bool is_due =
      is_last || (is_coded && refinement_.is_due(error, kernel_.drift(g, this->problem_.b())));
  if (!is_due) return false;
  if (is_coded) {
    kernel_.forget();
    refinement_.check();
  } else {
    is_finishing_ = true;
  }
  return true;
}

template <class T>
void AbsorbedSweep<T>::updated(std::int64_t iterations) {
  if (!kernel_.is_coded() || !refinement_.has_led_nowhere() || is_finishing_) return;
  const Storage next = this->problem_.form_of_tail();
  this->context_.log.detail(concat("iteration ", iterations,
                                   ": the kernel in 16 bits leads no further; from here on ",
                                   name_of(next)));
  if (is_absorbed(next)) {
    kernel_ = kernels::AbsorbedKernel<T>(format_of(next));
  } else {
    is_finishing_ = true;
  }
}

/// The kernel is made again at the potentials that it held, so that the next sweep gives the same
/// bits.
template <class T>
void AbsorbedSweep<T>::describe(const StateFields& fields, bool is_to_look) {
  const ShardedPairs<T>& problem = this->problem_;
  std::vector<double> absorbed(kernel_.potentials().begin(), kernel_.potentials().end());
  fields.add("sinkhorn.is_finishing", is_finishing_);
  fields.add_or_none("sinkhorn.absorbed_g", absorbed, problem.b().size());
  if (problem.storage() == Storage::absorbed16) {
    bool has_left_codes = !kernel_.is_coded();
    fields.add("sinkhorn.has_left_codes", has_left_codes);
    refinement_.describe(fields);
    if (has_left_codes && kernel_.is_coded()) {
      kernel_ = kernels::AbsorbedKernel<T>(kernels::KernelFormat::numbers);
    }
  }
  if (!fields.is_restoring()) return;
  if (kernel_.is_coded() && is_to_look) refinement_.check();
  if (!absorbed.empty()) kernel_.absorb(problem.over_y(absorbed), problem.a(), this->context_.pool);
}

template class AbsorbedSweep<float>;
template class AbsorbedSweep<double>;

}  // namespace kantor::sinkhorn
