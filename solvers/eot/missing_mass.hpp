#pragma once

// What a plan with cut columns lacks, and plans that make up for it where that is cheap.
// Shapes: N_r rows of x on this rank, M points y.

#include <list>
#include <span>
#include <vector>

#include "solvers/eot/sharded_pairs.hpp"

namespace kantor {

/// Mass that rows and columns lack: as much in all on either side, up to rounding.
struct Missing {
  std::vector<double> rows;     ///< [N_r] >= 0
  std::vector<double> columns;  ///< [M] >= 0, over all ranks
  double mass = 0;              ///< sum of the columns
};

/// Columns of a plan are cut to what they may hold. @param allowed, columns [M].
struct CutColumns {
  std::vector<double> scale;    ///< [M] min(allowed / column, 1)
  std::vector<double> missing;  ///< [M] allowed - scale column
  double mass = 0;              ///< of it

  CutColumns(std::span<const double> allowed, std::span<const double> columns);
};

/// Entropic plans between what is missing, one after the other, each with its columns cut and for
/// what those before it have left; with them little more than the rounding of sums is missing. The
/// first is as sharp as the problem's epsilon, so that mass goes within the plan's support where it
/// can; each next has a multiple of it, so that it leaves less, however slowly the sharp one tends
/// to its marginals. At most 8, of 5 passes over the pairs each, in double on the host.
class MakeUp {
 public:
  /// @param g   [M] of the plan. @param cut its columns, rows exact. Collective.
  MakeUp(const ShardedPairs<double>& problem, std::span<const double> g, const CutColumns& cut,
         Context& context);

  /// To be added; refers to this object.
  std::vector<kernels::AddedPlan<double>> plans() const;
  const Missing& left() const { return left_; }

 private:
  struct Part {
    std::vector<double> log_columns;  ///< [M] of the weights between which it is
    std::vector<double> g;            ///< [M]
    double epsilon = 0;
    std::vector<double> rows;   ///< [N_r]
    std::vector<double> scale;  ///< [M]
  };
  void add(std::span<const double> g, double epsilon);
  std::vector<double> columns_of(const Part& part) const;

  const ShardedPairs<double>& problem_;
  Context& context_;
  Missing left_;
  std::list<Part> parts_;
};

}  // namespace kantor
