#include "runtime/data/row_sources.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "runtime/core/error.hpp"

namespace kantor::data {
namespace {

/// A source whose gather(rows, scale, shift, values) takes either type of values.
template <class Source>
class GatheredRows : public RowSource {
 public:
  void read(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
            double* values) const override {
    static_cast<const Source&>(*this).gather(rows, scale, shift, values);
  }
  void read(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
            float* values) const override {
    static_cast<const Source&>(*this).gather(rows, scale, shift, values);
  }
};

std::string change_of(const DataFile& file) { return file.changed(); }
template <class T>
std::string change_of(const std::vector<T>&) {
  return "";
}

/// @tparam Owner keeps the bytes: a file, or numbers in memory.
template <class T, class Owner>
class MatrixRows final : public GatheredRows<MatrixRows<T, Owner>> {
 public:
  MatrixRows(const MatrixLayout& layout, std::shared_ptr<const Owner> owner)
      : layout_(layout), owner_(std::move(owner)) {
    KANTOR_CHECK(layout.first != nullptr && layout.num_rows > 0 && layout.num_dims > 0,
                 "a matrix of ", layout.num_rows, " x ", layout.num_dims);
  }

  std::string changed() const override { return change_of(*owner_); }

  std::int64_t num_rows() const override { return layout_.num_rows; }
  std::int64_t num_dims() const override { return layout_.num_dims; }

  template <class Out>
  void gather(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
              Out* values) const {
    if (scale == 1 && shift.empty()) {
      gather_by([](T value, std::int64_t) { return static_cast<Out>(value); }, rows, values);
    } else if (shift.empty()) {
      gather_by([&](T value,
                    std::int64_t) { return static_cast<Out>(scale * static_cast<double>(value)); },
                rows, values);
    } else {
      gather_by(
          [&](T value, std::int64_t k) {
            return static_cast<Out>(scale * static_cast<double>(value) -
                                    shift[static_cast<std::size_t>(k)]);
          },
          rows, values);
    }
  }

 private:
  T element(std::int64_t row, std::int64_t column) const {
    const std::int64_t at = row * layout_.row_stride + column * layout_.column_stride;
    T value;
    std::memcpy(&value, layout_.first + static_cast<std::size_t>(at) * sizeof(T), sizeof(T));
    return value;
  }

  template <class Convert, class Out>
  void gather_by(const Convert& convert, std::span<const std::int64_t> rows, Out* values) const {
    const std::int64_t d = layout_.num_dims;
    const auto count = static_cast<std::int64_t>(rows.size());
    for (const std::int64_t row : rows) {
      KANTOR_CHECK(row >= 0 && row < layout_.num_rows, "row ", row, " of ", layout_.num_rows);
    }
    // The inner loop follows the order of the file, so that a range of rows is read as it lies.
    if (layout_.column_stride == 1) {
      for (std::int64_t r = 0; r < count; ++r) {
        const std::int64_t row = rows[static_cast<std::size_t>(r)];
        for (std::int64_t k = 0; k < d; ++k) values[r * d + k] = convert(element(row, k), k);
      }
    } else {
      for (std::int64_t k = 0; k < d; ++k) {
        for (std::int64_t r = 0; r < count; ++r) {
          values[r * d + k] = convert(element(rows[static_cast<std::size_t>(r)], k), k);
        }
      }
    }
  }

  MatrixLayout layout_;
  std::shared_ptr<const Owner> owner_;
};

class PartialRows final : public GatheredRows<PartialRows> {
 public:
  PartialRows(std::vector<double> values, std::int64_t first, std::int64_t num_rows,
              std::int64_t num_dims)
      : values_(std::move(values)), first_(first), num_rows_(num_rows), num_dims_(num_dims) {
    const auto size = static_cast<std::int64_t>(values_.size());
    KANTOR_CHECK(
        num_dims > 0 && size % num_dims == 0 && first >= 0 && first + size / num_dims <= num_rows,
        size, " values from row ", first, " of ", num_rows, " x ", num_dims);
  }

  std::int64_t num_rows() const override { return num_rows_; }
  std::int64_t num_dims() const override { return num_dims_; }

  template <class Out>
  void gather(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
              Out* values) const {
    const std::int64_t count = static_cast<std::int64_t>(values_.size()) / num_dims_;
    for (const std::int64_t row : rows) {
      KANTOR_CHECK(row >= first_ && row < first_ + count, "row ", row, " is on another rank");
      const double* from = values_.data() + (row - first_) * num_dims_;
      for (std::int64_t k = 0; k < num_dims_; ++k) {
        const double subtracted = shift.empty() ? 0 : shift[static_cast<std::size_t>(k)];
        *values++ = static_cast<Out>(scale * from[k] - subtracted);
      }
    }
  }

 private:
  std::vector<double> values_;
  std::int64_t first_;
  std::int64_t num_rows_;
  std::int64_t num_dims_;
};

class UnitRows final : public GatheredRows<UnitRows> {
 public:
  explicit UnitRows(std::shared_ptr<const RowSource> source) : source_(std::move(source)) {}

  std::string changed() const override { return source_->changed(); }

  std::int64_t num_rows() const override { return source_->num_rows(); }
  std::int64_t num_dims() const override { return source_->num_dims(); }

  template <class Out>
  void gather(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
              Out* values) const {
    const auto d = static_cast<std::size_t>(num_dims());
    std::vector<double> row(d);
    for (std::size_t r = 0; r < rows.size(); ++r) {
      source_->read(rows.subspan(r, 1), 1, {}, row.data());
      to_unit_length(row);
      for (std::size_t k = 0; k < d; ++k) {
        *values++ = static_cast<Out>(scale * row[k] - (shift.empty() ? 0 : shift[k]));
      }
    }
  }

 private:
  std::shared_ptr<const RowSource> source_;
};

}  // namespace

bool to_unit_length(std::span<double> point) {
  double largest = 0;  // divided by first: squares of tiny or huge numbers leave the range
  for (const double value : point) largest = std::max(largest, std::abs(value));
  if (largest == 0) return false;
  double square = 0;
  for (double& value : point) {
    value /= largest;
    square += value * value;
  }
  for (double& value : point) value /= std::sqrt(square);
  return true;
}

std::shared_ptr<const RowSource> unit_rows(std::shared_ptr<const RowSource> source) {
  return std::make_shared<UnitRows>(std::move(source));
}

std::shared_ptr<const RowSource> partial_rows(std::vector<double> values, std::int64_t first,
                                              std::int64_t num_rows, std::int64_t num_dims) {
  return std::make_shared<PartialRows>(std::move(values), first, num_rows, num_dims);
}

template <class T>
std::shared_ptr<const RowSource> matrix_rows(const MatrixLayout& layout,
                                             std::shared_ptr<const DataFile> file) {
  return std::make_shared<MatrixRows<T, DataFile>>(layout, std::move(file));
}

template <class T>
std::shared_ptr<const RowSource> memory_rows(std::vector<T> values, std::int64_t num_rows,
                                             std::int64_t num_dims) {
  const auto owner = std::make_shared<const std::vector<T>>(std::move(values));
  KANTOR_CHECK(static_cast<std::int64_t>(owner->size()) == num_rows * num_dims, owner->size(),
               " values for ", num_rows, " x ", num_dims);
  const MatrixLayout layout = {.first = reinterpret_cast<const std::byte*>(owner->data()),
                               .num_rows = num_rows,
                               .num_dims = num_dims,
                               .row_stride = num_dims,
                               .column_stride = 1};
  return std::make_shared<MatrixRows<T, std::vector<T>>>(layout, owner);
}

template std::shared_ptr<const RowSource> matrix_rows<float>(const MatrixLayout&,
                                                             std::shared_ptr<const DataFile>);
template std::shared_ptr<const RowSource> matrix_rows<double>(const MatrixLayout&,
                                                              std::shared_ptr<const DataFile>);
template std::shared_ptr<const RowSource> memory_rows<double>(std::vector<double>, std::int64_t,
                                                              std::int64_t);
template std::shared_ptr<const RowSource> memory_rows<float>(std::vector<float>, std::int64_t,
                                                             std::int64_t);
template std::shared_ptr<const RowSource> memory_rows<std::uint8_t>(std::vector<std::uint8_t>,
                                                                    std::int64_t, std::int64_t);

}  // namespace kantor::data
