#pragma once

// The folder that a run has left: names of its files, and how they are read back.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/data/safetensors.hpp"
#include "runtime/record/record.hpp"
#include "solvers/result.hpp"

namespace kantor {

/// Names of files in the folder of a run.
namespace run_files {
constexpr const char* kResult = "result.json";
constexpr const char* kResolved = "resolved.toml";
constexpr const char* kModel = "model.json";
constexpr const char* kTensors = "model.safetensors";
constexpr const char* kPotentials = "potentials";       ///< /k.npy, one per marginal
constexpr const char* kCertificate = "certificate";     ///< /k.npy
constexpr const char* kSelfPotentials = "divergence";   ///< /k.npy
constexpr const char* kPoints = "points";               ///< .npy
constexpr const char* kAlignment = "alignment_matrix";  ///< .npy
}  // namespace run_files

std::string file_of(const std::string& folder, const std::string& name);
/// False where it cannot be looked at, too.
bool has_file(const std::string& path);

/// A result.json: what all results have is there, and of its kind; objective, dual_value and the
/// like are so if they are there. Nothing if the text is something else.
std::optional<Record> parse_result(const std::string& text);

/// That of a run folder. @throws DataError: missing or damaged.
Record read_result(const std::string& folder);

/// The checksum of a file's whole content, as result.json has it. @throws DataError: missing,
/// empty.
std::string checksum_text(const std::string& path);

/// Compares the files of results with the checksums that result.json has of them; older runs have
/// none. @return how many there are. @throws DataError naming the file that is missing, damaged or
/// of another run.
std::size_t check_result_files(const std::string& folder, const Record& result);

/// What is asked of a finished run anew.
struct StoredRun {
  std::vector<Array> arrays;
  Record model;
  std::vector<data::NamedTensor> tensors;

  const Array* find(const std::string& name) const;
  /// @throws DataError: not there, or of another shape.
  const std::vector<double>& array(const std::string& name,
                                   const std::vector<std::int64_t>& shape) const;
  const std::vector<double>& potential(std::size_t marginal, std::int64_t n) const {
    return array(concat(run_files::kPotentials, "/", marginal), {n});
  }
};

/// Potentials, moved points and model of a run folder, as they were written and finite.
/// @throws DataError.
StoredRun read_stored_run(const std::string& folder, const Record& result);

}  // namespace kantor
