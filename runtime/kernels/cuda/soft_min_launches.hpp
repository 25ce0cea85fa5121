#pragma once

// From a call to launches: which bodies, how many blocks, what lies where in the scratch memory.
// The launcher is CUDA's (soft_min_kernels.cu) or, in tests, the emulation's:
//   launcher.launch<Body>(Grid, bytes of shared memory, Body::Arguments).

#include <algorithm>

#include "runtime/kernels/cuda/plan_bodies.hpp"

namespace kantor::cuda {

struct Grid {
  int x = 0;
  int y = 1;
};

inline std::int64_t quotient_up(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// Blocks that fill a card: a few for each of its 100 to 150 processors.
constexpr std::int64_t kEnoughBlocks = 512;

/// How the inner points are cut into chunks, so that few outer points fill a card too. From the
/// sizes alone: the same sums, in the same order, on every card.
struct Chunks {
  std::int64_t tiles_each = 1;
  int count = 1;

  template <class T>
  static Chunks of(std::int64_t num_outer, std::int64_t num_inner, std::int64_t enough_blocks,
                   std::int64_t at_most = std::int64_t{1} << 16) {
    const std::int64_t blocks = std::max<std::int64_t>(1, quotient_up(num_outer, Tile<T>::kRows));
    const std::int64_t tiles = std::max<std::int64_t>(1, quotient_up(num_inner, Tile<T>::kColumns));
    const std::int64_t wanted =
        std::clamp<std::int64_t>(quotient_up(enough_blocks, blocks), 1, std::min(tiles, at_most));
    Chunks chunks;
    chunks.tiles_each = quotient_up(tiles, wanted);
    chunks.count = static_cast<int>(quotient_up(tiles, chunks.tiles_each));
    return chunks;
  }
};

/// The chunks of each pass, and the parts of the scratch memory, in doubles.
template <class T>
struct Layout {
  Chunks forward, weights, averages;
  std::int64_t num_maxima = 0;
  std::int64_t column_biases = 0, row_biases = 0, row_parts = 0, maxima = 0, partial = 0, size = 0;

  explicit Layout(const SoftMinCall& call, std::int64_t enough_blocks = kEnoughBlocks) {
    const std::int64_t n = call.x.count;
    const std::int64_t m = call.y.count;
    constexpr std::int64_t kMostPartialSums = std::int64_t{1} << 23;  // of averages: 64 MB
    const std::int64_t num_averages = std::max<std::int64_t>(1, n * call.num_values);
    forward = Chunks::of<T>(n, m, enough_blocks);
    weights = Chunks::of<T>(m, n, enough_blocks);
    averages = Chunks::of<T>(n, m, enough_blocks,
                             std::max<std::int64_t>(1, kMostPartialSums / num_averages));
    num_maxima = quotient_up(m, kPreparedPoints);
    row_biases = m;
    row_parts = row_biases + n;
    maxima = row_parts + n;
    partial = maxima + num_maxima;
    std::int64_t most = 0;
    if (call.given_f == nullptr) most = 2 * forward.count * n;
    // One chunk goes straight to its place.
    if (call.column_weights != nullptr && weights.count > 1) {
      most = std::max(most, weights.count * m);
    }
    if (call.averages != nullptr && averages.count > 1) {
      most = std::max(most, averages.count * num_averages);
    }
    size = partial + most;
  }
};

template <class T, SumsFrom kFrom, class Launcher>
class SoftMinLaunches {
 public:
  SoftMinLaunches(const SoftMinCall& call, double* scratch, Launcher& launcher,
                  std::int64_t enough_blocks)
      : call_(call), layout_(call, enough_blocks), scratch_(scratch), launcher_(launcher) {}

  void run() {
    prepare();
    if constexpr (kFrom != SumsFrom::memory) {
      if (call_.kept_sums != nullptr) keep_sums();
    }
    if (call_.f == nullptr && call_.column_weights == nullptr && call_.averages == nullptr) return;
    if (call_.given_f == nullptr) reduce_rows();
    finish_rows();
    if (call_.column_weights != nullptr) weigh_columns();
    if (call_.averages != nullptr) average_values();
  }

 private:
  double* at(std::int64_t place) const { return scratch_ + place; }

  Side<T> rows() const {
    return {static_cast<const T*>(call_.x.data), call_.x.count, call_.x.stride,
            at(layout_.row_biases)};
  }
  Side<T> columns() const {
    return {static_cast<const T*>(call_.y.data), call_.y.count, call_.y.stride,
            at(layout_.column_biases)};
  }

  Pairs<T> pairs_of(bool columns_are_inner, const Chunks& chunks) const {
    const PairCost& cost = call_.cost;
    const double factor = cost.form == CostForm::products   ? cost.products
                          : cost.form == CostForm::distance ? -1
                                                            : -1 / cost.p;
    Pairs<T> pairs;
    pairs.outer = columns_are_inner ? rows() : columns();
    pairs.inner = columns_are_inner ? columns() : rows();
    pairs.d = static_cast<int>(call_.d);
    pairs.form = cost.form;
    pairs.p = static_cast<T>(cost.p);
    pairs.scale = static_cast<T>(kLog2E * factor / call_.epsilon);
    pairs.maxima = at(layout_.maxima);
    pairs.num_maxima = static_cast<int>(layout_.num_maxima);
    pairs.columns_are_inner = columns_are_inner;
    pairs.sums = static_cast<const T*>(call_.sums);
    pairs.sums_stride = call_.sums_stride;
    pairs.tiles_per_chunk = chunks.tiles_each;
    return pairs;
  }

  template <class Body>
  void launch(std::int64_t blocks, int chunks, std::int64_t shared_numbers,
              const typename Body::Arguments& arguments) {
    if (blocks == 0) return;
    launcher_.template launch<Body>({static_cast<int>(blocks), chunks},
                                    static_cast<std::size_t>(shared_numbers) * sizeof(T),
                                    arguments);
  }

  static constexpr std::int64_t kOfWarps = 8 * sizeof(double) / sizeof(T);

  void prepare() {
    const std::int64_t blocks = layout_.num_maxima + quotient_up(call_.x.count, kPreparedPoints);
    launch<PreparePoints<T>>(
        blocks, 1, kOfWarps,
        {rows(), columns(), static_cast<int>(call_.d), call_.cost, call_.centre, call_.log_b,
         call_.g, call_.epsilon, at(layout_.row_parts), at(layout_.column_biases),
         at(layout_.maxima)});
  }

  void keep_sums() {
    launch<KeepSums<T, kFrom>>(
        quotient_up(call_.x.count, Tile<T>::kRows), layout_.forward.count,
        tile_numbers<T, kFrom>(call_.d),
        {pairs_of(true, layout_.forward), static_cast<T*>(call_.kept_sums), call_.sums_stride});
  }

  double* partial_sums() const {
    return at(layout_.partial) + layout_.forward.count * call_.x.count;
  }

  void reduce_rows() {
    launch<Forward<T, kFrom>>(
        quotient_up(call_.x.count, Tile<T>::kRows), layout_.forward.count,
        tile_numbers<T, kFrom>(call_.d),
        {pairs_of(true, layout_.forward), at(layout_.partial), partial_sums()});
  }

  void finish_rows() {
    launch<FinishRows>(
        quotient_up(call_.x.count, gpu::kBlockThreads), 1, kOfWarps,
        {call_.x.count, layout_.forward.count, at(layout_.partial), partial_sums(),
         at(layout_.row_parts), call_.given_f, at(layout_.maxima),
         static_cast<int>(layout_.num_maxima), call_.epsilon, call_.f, at(layout_.row_biases)});
  }

  void weigh_columns() {
    const Chunks& chunks = layout_.weights;
    double* sums = chunks.count > 1 ? at(layout_.partial) : call_.column_weights;
    launch<WeightedSums<T, kFrom>>(quotient_up(call_.y.count, Tile<T>::kRows), chunks.count,
                                   tile_numbers<T, kFrom>(call_.d),
                                   {pairs_of(false, chunks), call_.row_weights, sums});
    sum_chunks(call_.y.count, chunks, call_.column_weights);
  }

  void average_values() {
    const Chunks& chunks = layout_.averages;
    double* sums = chunks.count > 1 ? at(layout_.partial) : call_.averages;
    using Body = ValueSums<T, kFrom>;
    launch<Body>(
        quotient_up(call_.x.count, Tile<T>::kRows), chunks.count,
        tile_numbers<T, kFrom>(call_.d) + Body::kNumbers,
        {pairs_of(true, chunks), static_cast<const T*>(call_.values), call_.num_values, sums});
    sum_chunks(call_.x.count * call_.num_values, chunks, call_.averages);
  }

  void sum_chunks(std::int64_t count, const Chunks& chunks, double* to) {
    if (chunks.count == 1) return;
    launch<SumChunks>(quotient_up(count, gpu::kBlockThreads), 1, 0,
                      {count, chunks.count, at(layout_.partial), to});
  }

  const SoftMinCall& call_;
  const Layout<T> layout_;
  double* scratch_;
  Launcher& launcher_;
};

inline std::size_t scratch_bytes(const SoftMinCall& call,
                                 std::int64_t enough_blocks = kEnoughBlocks) {
  const std::int64_t size = call.is_double ? Layout<double>(call, enough_blocks).size
                                           : Layout<float>(call, enough_blocks).size;
  return static_cast<std::size_t>(size) * sizeof(double);
}

/// Makes the launches of a call on points of type T.
template <class T, class Launcher>
void launch_soft_min(const SoftMinCall& call, void* scratch, Launcher& launcher,
                     std::int64_t enough_blocks = kEnoughBlocks) {
  auto* doubles = static_cast<double*>(scratch);
  if (call.sums != nullptr) {
    SoftMinLaunches<T, SumsFrom::memory, Launcher>(call, doubles, launcher, enough_blocks).run();
  } else if (call.cost.form == CostForm::products) {
    SoftMinLaunches<T, SumsFrom::products, Launcher>(call, doubles, launcher, enough_blocks).run();
  } else {
    SoftMinLaunches<T, SumsFrom::differences, Launcher>(call, doubles, launcher, enough_blocks)
        .run();
  }
}

}  // namespace kantor::cuda
