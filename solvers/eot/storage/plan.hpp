#pragma once

// Where the costs of a solve live: what each form holds, how fast it is, and which one is taken.
// Shapes: N points x in all and N_r of them on this rank, M points y, D dimensions.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "distributed/context.hpp"
#include "runtime/core/instruction_set.hpp"
#include "runtime/kernels/absorbed/unit_code.hpp"
#include "runtime/kernels/cost_matrix.hpp"

namespace kantor {

/// Streamed: costs are made from points in every pass. Materialised: they are stored. Absorbed:
/// Sinkhorn keeps the kernel with its potentials absorbed, and makes it from streamed costs; the
/// same in 16 bits a number, in float32 alone. Automatic: what plan_storage() finds fastest.
/// Checkpoints hold the numbers.
enum class Storage { automatic = 0, materialised = 1, streamed = 2, absorbed = 3, absorbed16 = 4 };
Storage storage_named(const std::string& name);
const char* name_of(Storage storage);
constexpr bool is_absorbed(Storage storage) {
  return storage == Storage::absorbed || storage == Storage::absorbed16;
}
constexpr kernels::KernelFormat format_of(Storage storage) {
  return storage == Storage::absorbed16 ? kernels::KernelFormat::codes
                                        : kernels::KernelFormat::numbers;
}

/// What a solve asks of its costs.
struct Workload {
  double iterations = 100;  ///< about
  double refreshes = 0;     ///< of an absorbed kernel, about; 0: its iterations cannot read one
  bool reads_codes = true;  ///< nor, if false, one in 16 bits
  std::optional<Storage> begun_with = {};  ///< by a run that goes on: the same again, if it fits
  /// Those of them that a kernel in 16 bits, at its floor, no more leads: they read one in numbers,
  /// or costs where there is no room for it.
  double tail_iterations = 0;
};

/// An evaluation sums the columns of two plans in one pass up to so many columns; beyond, lanes of
/// sums would take more than 2 x 16 MB.
inline constexpr std::int64_t kMostColumnsAtOnce = 1 << 17;

/// The size of a solve on one rank, the largest shard.
struct SolveShape {
  std::int64_t rows = 0;  ///< N_r
  std::int64_t n = 0;
  std::int64_t m = 0;
  std::int64_t d = 0;
  kernels::CostKind cost = kernels::CostKind::sqeuclidean;
  bool has_matrix = false;  ///< costs come from a file: held each way, and always stored
  bool is_double = false;
  int threads = 1;
  double more_solve_bytes = 0;  ///< that the caller holds beside, while it iterates
  double more_evaluation_bytes = 0;
};

/// What an iteration does once for every row and column, on one thread.
inline constexpr double kSecondsPerPoint = 10e-9;

struct StorageForm {
  double bytes = 0;                  ///< per rank: points, vectors, scratch memory, what is stored
  double stored_bytes = 0;           ///< of them
  double seconds_per_iteration = 0;  ///< a pass over the pairs
  double seconds_to_store = 0;       ///< once; absorbed: at each refresh
};

struct StoragePlan {
  Storage form = Storage::streamed;
  double budget = 0;       ///< bytes per rank
  bool is_strict = false;  ///< the budget is for what is stored alone
  /// A GPU reduces the pairs: the host holds points, or the matrix of a file; `automatic` is left
  /// to what the GPU has room for, which changes no bits; nothing is known of its seconds.
  bool is_on_device = false;
  bool has_matrix = false;                                   ///< nothing is streamed
  StorageForm streamed, materialised, absorbed, absorbed16;  ///< the last of 0 bytes in float64

  const StorageForm& of(Storage which) const;
  const StorageForm& chosen() const { return of(form); }
  bool fits(Storage which) const;
  /// What follows a kernel in 16 bits that leads no further.
  Storage form_of_tail() const;
  /// "streamed: 12 MB per rank, 9.4 ms an iteration predicted (materialised 280 MB, ..)".
  std::string text(const std::string& word = "predicted") const;
};

/// A line for each plan, that of the solve first: "\nstorage streamed: ..".
std::string storage_lines(const std::vector<StoragePlan>& plans);

/// Bytes and seconds of the forms; seconds by a table of rates, not by this machine's clock,
/// so that the choice is the same in every run.
StoragePlan estimate_storage(const SolveShape& shape, InstructionSet set);

/// The fastest of the forms that fit; streamed if none of the others is worth its memory. The
/// number of threads does not change it.
Storage choose_storage(const StoragePlan& plan, const Workload& workload);

/// What this rank may hold: 85 % of its share of the memory that is free;
/// strict: a fixed figure for what is stored, so that the choice does not depend on the machine.
double memory_budget(const Context& context);

/// The fastest form that fits with a tenth to spare, or the one that is asked for; of a run that
/// goes on, the one it began with, unless the choice was free and it fits no more, which is warned
/// of. By the largest estimates and the least budget of all ranks, which choose alike. Collective,
/// before anything is allocated. @throws ConfigError (on all ranks) if what is asked for, or any
/// form, does not fit.
StoragePlan plan_storage(const SolveShape& shape, Storage asked, const Workload& workload,
                         Context& context);
StoragePlan plan_storage(const SolveShape& shape, Storage asked, const Workload& workload,
                         double budget, Context& context);

}  // namespace kantor
