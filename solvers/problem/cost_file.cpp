#include "solvers/problem/cost_file.hpp"

#include <numeric>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/data/fingerprint.hpp"
#include "runtime/data/mapped_file.hpp"
#include "runtime/data/npy.hpp"

namespace kantor {

void load_cost_file(const ProblemConfig& config, Problem& problem) {
  const std::vector<std::int64_t> dims = data::read_npy_header(config.cost_file).shape;
  if (dims.size() != 2) {
    throw DataError(concat(config.cost_file, ": problem.cost_file has ", dims.size(),
                           " dimensions; expected a matrix [n, m]"));
  }
  problem.cost_matrix = data::open_npy(config.cost_file);
  data::Fingerprint content;
  content.add_content(data::MappedFile(config.cost_file).bytes());
  const std::int64_t shape[] = {problem.cost_matrix->num_rows(), problem.cost_matrix->num_dims()};
  const char* const side[] = {"rows", "columns"};
  for (std::size_t k = 0; k < 2; ++k) {
    const data::MarginalConfig marginal =
        config.marginals.empty() ? data::MarginalConfig{} : config.marginals[k];
    problem.marginals.push_back(data::load_weights_alone(
        marginal, shape[k], concat(side[k], " of ", config.cost_file), content.value()));
  }
}

template <class T>
void read_costs(const Problem& problem, std::span<const std::int64_t> rows,
                std::span<const std::int64_t> columns, T* values) {
  std::vector<T> row(static_cast<std::size_t>(problem.cost_matrix->num_dims()));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    problem.cost_matrix->read(rows.subspan(i, 1), row.data());
    for (const std::int64_t column : columns) *values++ = row[static_cast<std::size_t>(column)];
  }
}

template void read_costs(const Problem&, std::span<const std::int64_t>,
                         std::span<const std::int64_t>, float*);
template void read_costs(const Problem&, std::span<const std::int64_t>,
                         std::span<const std::int64_t>, double*);

data::Marginal costs_as_points(const Problem& problem, const std::string& name) {
  return {name, problem.cost_matrix, {}, 1, {}, 0, 0};
}

}  // namespace kantor
