#pragma once

// How the rows of an N x M reduction are cut. Everything follows from the shape alone, never from
// the number of threads, so that results do not depend on it.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <new>

#include "runtime/core/thread_pool.hpp"

namespace kantor::kernels {

/// A panel is some rows times all columns; a lane is a contiguous run of panels with accumulators
/// of its own.
struct Panels {
  std::int64_t num_rows;
  std::int64_t rows_per_panel;
  std::int64_t num_panels;
  std::int64_t num_lanes;

  std::int64_t first_panel(std::int64_t lane) const { return lane * num_panels / num_lanes; }

  /// Calls work(first_row, count) for the panels of a lane, in order.
  template <class Work>
  void for_each_of_lane(std::int64_t lane, const Work& work) const {
    for (std::int64_t panel = first_panel(lane); panel < first_panel(lane + 1); ++panel) {
      const std::int64_t first_row = panel * rows_per_panel;
      work(first_row, std::min(rows_per_panel, num_rows - first_row));
    }
  }
};

/// @param element_bytes of the tile's type.
inline Panels cut_rows(std::int64_t num_rows, std::int64_t num_columns, std::size_t element_bytes) {
  constexpr std::int64_t panel_bytes = 1 << 20;       // about a core's own cache
  constexpr std::int64_t wide_panel_bytes = 8 << 20;  // of long rows: GEMM wants some 32 of them
  constexpr std::int64_t max_lanes = 16;              // each holds M doubles
  const std::int64_t row_bytes =
      std::max<std::int64_t>(1, num_columns * static_cast<std::int64_t>(element_bytes));
  const auto round_up = [](std::int64_t n) { return (n + 7) / 8 * 8; };
  const std::int64_t fitting = std::clamp<std::int64_t>(
      std::max(panel_bytes / row_bytes, std::min<std::int64_t>(32, wide_panel_bytes / row_bytes)) /
          8 * 8,
      8, 128);
  // Few rows still give every lane a panel.
  const std::int64_t even = std::max<std::int64_t>(8, round_up((num_rows + 7) / 8));
  Panels panels{};
  panels.num_rows = num_rows;
  panels.rows_per_panel = std::min(fitting, even);
  panels.num_panels = (num_rows + panels.rows_per_panel - 1) / panels.rows_per_panel;
  panels.num_lanes = std::min(max_lanes, panels.num_panels);
  return panels;
}

/// Uninitialised numbers on a cache-line boundary.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::int64_t size)
      : data_(static_cast<T*>(
            ::operator new (static_cast<std::size_t>(size) * sizeof(T), std::align_val_t{64}))) {}
  T* data() const { return data_.get(); }

 private:
  struct Free {
    void operator()(T* data) const { ::operator delete (data, std::align_val_t{64}); }
  };
  std::unique_ptr<T, Free> data_;
};

}  // namespace kantor::kernels
