#pragma once

// From a call to launches: which bodies, how many blocks.
// The launcher is CUDA's (soft_min_kernels.cu) or, in tests, the emulation's:
//   launcher.launch<Body>(Grid, bytes of shared memory, Body::Arguments).

#include <algorithm>

#include "runtime/kernels/cuda/plan_bodies.hpp"
#include "runtime/kernels/cuda/soft_min_layout.hpp"

namespace kantor::cuda {

struct Grid {
  int x = 0;
  int y = 1;
};

template <class T, SumsFrom kFrom, class Launcher>
class SoftMinLaunches {
 public:
  SoftMinLaunches(const SoftMinCall& call, double* scratch, Launcher& launcher)
      : call_(call), layout_(call), scratch_(scratch), launcher_(launcher) {}

  void run() {
    prepare();
    if constexpr (kFrom != SumsFrom::memory) {
      if (call_.kept_sums != nullptr) keep_sums();
    }
    if (call_.f == nullptr && call_.column_weights == nullptr && call_.averages == nullptr) return;
    const std::int64_t n = call_.x.count;
    std::int64_t first = 0;
    do {  // once without any row, too: columns are then 0
      const Rows rows{first, std::min(n - first, layout_.rows_at_once)};
      reduce(rows);
      finish(rows);
      if (layout_.keeps_sums) {
        take_plan<SumsFrom::memory>(rows);
      } else {
        take_plan<kFrom>(rows);
      }
      first += rows.count;
    } while (first < n);
    if (call_.column_weights != nullptr) {
      sum_chunks(call_.y.count, layout_.weights, layout_.of_columns, call_.column_weights);
    }
  }

 private:
  struct Rows {
    std::int64_t first, count;
  };

  double* at(std::int64_t place) const { return scratch_ + place; }

  Side<T> side_of(const Rows& rows) const {
    // Without points (given costs) there is nothing to be first in.
    const auto* points = static_cast<const T*>(call_.x.data);
    return {points == nullptr ? points : points + rows.first * call_.x.stride, rows.count,
            call_.x.stride, at(layout_.row_biases + rows.first)};
  }
  Side<T> columns() const {
    return {static_cast<const T*>(call_.y.data), call_.y.count, call_.y.stride,
            at(layout_.column_biases)};
  }
  Rows all_rows() const { return {0, call_.x.count}; }

  Pairs<T> pairs_of(const Rows& rows, bool columns_are_inner, const Chunks& chunks) const {
    const PairCost& cost = call_.cost;
    const double factor = cost.form == CostForm::products   ? cost.products
                          : cost.form == CostForm::distance ? -1
                                                            : -1 / cost.p;
    Pairs<T> pairs;
    pairs.outer = columns_are_inner ? side_of(rows) : columns();
    pairs.inner = columns_are_inner ? columns() : side_of(rows);
    pairs.d = static_cast<int>(call_.d);
    pairs.form = cost.form;
    pairs.p = static_cast<T>(cost.p);
    pairs.scale = static_cast<T>(kLog2E * factor / call_.epsilon);
    pairs.shift = at(layout_.shift);
    pairs.columns_are_inner = columns_are_inner;
    const KeptSums<const T> sums = sums_of(rows);
    pairs.sums = sums.sums;
    pairs.sums_stride = sums.stride;
    pairs.tiles_per_chunk = chunks.tiles_each;
    return pairs;
  }
  KeptSums<T> kept() const { return {reinterpret_cast<T*>(at(layout_.kept)), layout_.sums_stride}; }
  /// Sums of these rows, if they come from memory.
  KeptSums<const T> sums_of(const Rows& rows) const {
    if (layout_.keeps_sums) return {kept().sums, layout_.sums_stride};
    if (call_.sums == nullptr) return {};
    return {static_cast<const T*>(call_.sums) + rows.first * call_.sums_stride, call_.sums_stride};
  }

  template <class Body>
  void launch(std::int64_t blocks, int chunks, std::int64_t shared_numbers,
              const typename Body::Arguments& arguments) {
    if (blocks == 0) return;
    launcher_.template launch<Body>({static_cast<int>(blocks), chunks},
                                    static_cast<std::size_t>(shared_numbers) * sizeof(T),
                                    arguments);
  }

  /// What every card allows a block without being asked first.
  static constexpr std::size_t kMostSharedBytes = 48 * 1024;
  static_assert((tile_numbers<T, kFrom>(Tile<T>::kResidentDepth) + ValueSums<T, kFrom>::kNumbers) *
                    sizeof(T) <=
                kMostSharedBytes);
  static constexpr std::int64_t kOfWarps = 8 * sizeof(double) / sizeof(T);

  /// Parts of rows, then of columns; null: they are 0.
  const double* parts() const {
    if (!has_parts(call_)) return nullptr;
    if (call_.parts != nullptr) return call_.parts;
    return call_.kept_parts != nullptr ? call_.kept_parts : at(layout_.parts);
  }

  void prepare() {
    const std::int64_t n = call_.x.count, m = call_.y.count;
    const double* parts_of_points = parts();
    if (parts_of_points != nullptr && call_.parts == nullptr) {
      launch<PointParts<T>>(quotient_up(n + m, kPointsOfParts), 1, 0,
                            {side_of(all_rows()), columns(), static_cast<int>(call_.d), call_.cost,
                             call_.centre, const_cast<double*>(parts_of_points)});
    }
    launch<ColumnBiases>(
        layout_.num_maxima, 1, kOfWarps,
        {m, parts_of_points == nullptr ? nullptr : parts_of_points + n, call_.log_b, call_.g,
         call_.epsilon, at(layout_.column_biases), at(layout_.maxima)});
    launch<LargestBias>(
        n + m > 0 ? 1 : 0, 1, kOfWarps,
        {at(layout_.maxima), static_cast<int>(layout_.num_maxima), at(layout_.shift)});
  }

  void keep_sums() {
    launch<KeepSums<T, kFrom>>(quotient_up(call_.x.count, Tile<T>::kRows), layout_.forward.count,
                               tile_numbers<T, kFrom>(call_.d),
                               {pairs_of(all_rows(), true, layout_.forward),
                                {static_cast<T*>(call_.kept_sums), call_.sums_stride}});
  }

  double* partial_sums() const {
    return at(layout_.of_rows + layout_.forward.count * layout_.rows_at_once);
  }

  template <class Body>
  void reduce_by(const Rows& rows) {
    launch<Body>(
        quotient_up(rows.count, Tile<T>::kRows), layout_.forward.count,
        tile_numbers<T, kFrom>(call_.d),
        {pairs_of(rows, true, layout_.forward), at(layout_.of_rows), partial_sums(), kept()});
  }

  void reduce(const Rows& rows) {
    if (call_.given_f != nullptr) return;
    if constexpr (kFrom != SumsFrom::memory) {
      if (layout_.keeps_sums) return reduce_by<Forward<T, kFrom, true>>(rows);
    }
    reduce_by<Forward<T, kFrom, false>>(rows);
  }

  void finish(const Rows& rows) {
    const auto of = [&](auto* all) { return all == nullptr ? all : all + rows.first; };
    launch<FinishRows>(quotient_up(rows.count, FinishRows::kRows), 1, 0,
                       {rows.count, layout_.forward.count, at(layout_.of_rows), partial_sums(),
                        of(parts()), of(call_.given_f), at(layout_.shift), call_.epsilon,
                        of(call_.f), of(at(layout_.row_biases))});
  }

  template <SumsFrom kPlanFrom>
  void take_plan(const Rows& rows) {
    if (call_.column_weights != nullptr) weigh_columns<kPlanFrom>(rows);
    if (call_.averages != nullptr) average_values<kPlanFrom>(rows);
  }

  template <SumsFrom kPlanFrom>
  void weigh_columns(const Rows& rows) {
    const Chunks& chunks = layout_.weights;
    double* sums = chunks.count > 1 ? at(layout_.of_columns) : call_.column_weights;
    launch<WeightedSums<T, kPlanFrom>>(
        quotient_up(call_.y.count, Tile<T>::kRows), chunks.count,
        tile_numbers<T, kPlanFrom>(call_.d),
        {pairs_of(rows, false, chunks), call_.row_weights + rows.first, sums, rows.first > 0});
  }

  template <SumsFrom kPlanFrom>
  void average_values(const Rows& rows) {
    const Chunks& chunks = layout_.averages;
    double* averages = call_.averages + rows.first * call_.num_values;
    double* sums = chunks.count > 1 ? at(layout_.of_rows) : averages;
    using Body = ValueSums<T, kPlanFrom>;
    launch<Body>(quotient_up(rows.count, Tile<T>::kRows), chunks.count,
                 tile_numbers<T, kPlanFrom>(call_.d) + Body::kNumbers,
                 {pairs_of(rows, true, chunks), static_cast<const T*>(call_.values),
                  call_.num_values, sums});
    sum_chunks(rows.count * call_.num_values, chunks, layout_.of_rows, averages);
  }

  void sum_chunks(std::int64_t count, const Chunks& chunks, std::int64_t from, double* to) {
    if (chunks.count == 1) return;
    launch<SumChunks>(quotient_up(count, gpu::kBlockThreads), 1, 0,
                      {count, chunks.count, at(from), to});
  }

  const SoftMinCall& call_;
  const Layout<T> layout_;
  double* scratch_;
  Launcher& launcher_;
};

inline std::size_t scratch_bytes(const SoftMinCall& call) {
  const std::int64_t size = call.is_double ? Layout<double>(call).size : Layout<float>(call).size;
  return static_cast<std::size_t>(size) * sizeof(double);
}

/// Makes the launches of a call on points of type T.
template <class T, class Launcher>
void launch_soft_min(const SoftMinCall& call, void* scratch, Launcher& launcher) {
  auto* doubles = static_cast<double*>(scratch);
  if (call.sums != nullptr) {
    SoftMinLaunches<T, SumsFrom::memory, Launcher>(call, doubles, launcher).run();
  } else if (call.cost.form == CostForm::products) {
    SoftMinLaunches<T, SumsFrom::products, Launcher>(call, doubles, launcher).run();
  } else {
    SoftMinLaunches<T, SumsFrom::differences, Launcher>(call, doubles, launcher).run();
  }
}

}  // namespace kantor::cuda
