#pragma once

// Sweeps that read a kernel in place of the costs. Shapes: N_r rows of x on this rank, M points y.

#include "runtime/kernels/absorbed/absorbed_kernel.hpp"
#include "solvers/sinkhorn/absorbed/refinement.hpp"
#include "solvers/sinkhorn/sweep.hpp"

namespace kantor::sinkhorn {

/// Reads the kernel with potentials absorbed, without an exp, between exact marginals at the
/// problem's own epsilon; it is made anew when g has drifted from the potentials in it. In codes
/// its columns are exact for plain updates alone, and it is refined; once it leads no further, a
/// kernel in numbers takes its place, or the costs. What ends the iteration is told by the costs.
template <class T>
class AbsorbedSweep final : public Sweep<T> {
 public:
  AbsorbedSweep(const ShardedPairs<T>& problem, Context& context)
      : Sweep<T>(problem, context), kernel_(format_of(problem.storage())) {}

  Swept run(const Step& step, std::span<const double> previous_f, std::span<const double> g,
            bool save) override;
  bool looks_again(double error, std::span<const double> g, bool is_last) override;
  void updated(std::int64_t iterations) override;
  void describe(const StateFields& fields, bool is_to_look) override;

 protected:
  void sum_pairs(const Step& step, std::span<const double> g, const kernels::RowUpdate& update,
                 std::span<double> columns, Swept& swept) override;

 private:
  bool takes_kernel(const Step& step) const;

  kernels::AbsorbedKernel<T> kernel_;
  Refinement refinement_;      ///< of a kernel in codes
  bool reads_kernel_ = false;  ///< in the sweep before
  bool is_exact_ = true;       ///< which read the costs, be it to make codes
  bool is_finishing_ = false;  ///< the costs are read from here on
};

}  // namespace kantor::sinkhorn
