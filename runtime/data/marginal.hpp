#pragma once

// A marginal: weighted points, read from a file or generated.
// Shapes: n points, D dimensions.

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "runtime/config/reader.hpp"
#include "runtime/data/generators.hpp"

namespace kantor::data {

/// One table of [[problem.marginals]].
struct MarginalConfig {
  std::string path;        ///< .npy, idx-ubyte(.gz), .safetensors; empty with a generator
  std::string key;         ///< tensor name in a .safetensors file
  std::string weights;     ///< .npy of one weight per selected row or per row of the file;
                           ///< uniform if empty
  bool normalise = false;  ///< rescale the weights to sum 1
  std::string labels;      ///< idx-ubyte(.gz) labels, with select
  std::vector<std::int64_t> select;  ///< keep rows whose label is in the list
  double scale = 1;                  ///< multiplies the values
  std::vector<std::int64_t> rows;    ///< half-open range after selection, [first, last)
  double holdout = 0;                ///< fraction kept out of training, in [0, 1)
  std::string shared;                ///< features in a space that marginals share; kind egw
  std::int64_t n = 0;                ///< points without coordinates; 0 = as many as there are
  std::optional<GeneratorConfig> generator;

  void describe(config::Fields& fields);
  /// @throws ConfigError: path and generator both or neither given, select without labels, ...
  void check() const;
  /// Where points have no coordinates. @throws ConfigError: a key that is about coordinates.
  void check_weights_alone() const;
};

/// Rows of numbers wherever they are: a mapped file, decompressed bytes, memory.
class RowSource {
 public:
  virtual ~RowSource() = default;
  virtual std::int64_t num_rows() const = 0;
  virtual std::int64_t num_dims() const = 0;
  /// values = scale * rows - shift, in double before it is rounded; as it lies with scale 1 and no
  /// shift.
  /// @param rows        indices into this source.
  /// @param shift       [D] or empty.
  /// @param[out] values [rows.size(), D] row-major.
  virtual void read(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
                    double* values) const = 0;
  virtual void read(std::span<const std::int64_t> rows, double scale, std::span<const double> shift,
                    float* values) const = 0;
  /// In which way the rows may differ from what they were when they were opened (DataFile), or "".
  virtual std::string changed() const { return ""; }
  /// As they lie.
  template <class T>
  void read(std::span<const std::int64_t> rows, T* values) const {
    read(rows, 1, {}, values);
  }
};

class Marginal {
 public:
  /// @param weights [n] summing to 1, or empty for uniform.
  Marginal(std::string name, std::shared_ptr<const RowSource> source,
           std::vector<std::int64_t> selection, double scale, std::vector<double> weights,
           double holdout, std::uint64_t fingerprint);

  const std::string& name() const;  ///< the path, or "generator gaussian", for messages
  std::int64_t n() const;
  std::int64_t d() const;
  /// Index of a row in the file, before selection.
  std::int64_t source_row(std::int64_t row) const;
  bool is_weighted() const;
  double weight(std::int64_t row) const;  ///< a_i
  std::vector<double> weights() const;    ///< [n], also when uniform
  double holdout() const;
  /// The same points, each over its Euclidean norm (a negative scale turns them round).
  Marginal on_unit_sphere() const;
  /// Hash of the content (whole file up to 64 MB, sampled blocks beyond) and of the selection.
  std::uint64_t fingerprint() const;
  /// @throws DataError if what was read may not be what the fingerprint is of.
  void check_unchanged() const;

  /// Gathers scaled rows minus a shift, subtracted in double before rounding to T (float, double).
  /// @param rows        any indices in [0, n), repeats allowed.
  /// @param shift       [D] or empty.
  /// @param[out] values [rows.size(), D] row-major.
  template <class T>
  void read(std::span<const std::int64_t> rows, std::span<const double> shift, T* values) const;
  /// Rows first .. first + count - 1.
  template <class T>
  void read_range(std::int64_t first, std::int64_t count, std::span<const double> shift,
                  T* values) const;

 private:
  std::string name_;
  std::shared_ptr<const RowSource> source_;
  std::vector<std::int64_t> selection_;  ///< empty: all rows
  double scale_;
  std::vector<double> weights_;
  double holdout_;
  std::uint64_t fingerprint_;
};

/// Opens the files, applies selection, range, scale and weights; does not scan the values.
/// @throws DataError: missing, truncated, wrong type or shape, bad weights, labels of another
/// length; ConfigError: what check() refuses, a range or label that selects nothing.
Marginal load_marginal(const MarginalConfig& config);

/// The shared features of the same rows, with their weights; the fingerprint of the marginal itself
/// holds them too. @throws as load_marginal().
Marginal load_features(const MarginalConfig& config);

/// Points without coordinates: D = 1, each its own index. @param n how many there are.
/// @param name, content of where n comes from. @throws DataError: bad weights, config.n another
/// number.
Marginal load_weights_alone(const MarginalConfig& config, std::int64_t n, const std::string& name,
                            std::uint64_t content);

/// First row in [first, last) that holds a NaN or an infinity, as message text with row and column;
/// empty if there is none. Callers split the range over ranks.
std::string find_nonfinite(const Marginal& marginal, std::int64_t first, std::int64_t last);

/// First row in [first, last) of length 0, as message text; empty if there is none.
std::string find_zero_row(const Marginal& marginal, std::int64_t first, std::int64_t last);

/// A point over its Euclidean norm, in place; one of zeros stays. @return whether it has a
/// direction.
bool to_unit_length(std::span<double> point);

}  // namespace kantor::data
