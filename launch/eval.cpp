#include <iostream>
#include <memory>

#include "distributed/collectively.hpp"
#include "launch/finished_run.hpp"
#include "launch/output_directory.hpp"
#include "launch/verbs.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/index.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"
#include "solvers/registry.hpp"
#include "solvers/stored_run.hpp"

// Shapes: K new points, D dimensions.

namespace kantor::launch {
namespace {

struct Points {
  std::int64_t count = 0;
  std::vector<double> values;  ///< [K, D]
};

/// As the run reads its own: any format, and times the scale of their marginal.
Points read_points(const EvalArguments& arguments, double scale, std::int64_t dims) {
  data::MarginalConfig file;
  file.path = arguments.points;
  file.key = arguments.key;
  file.scale = scale;
  const data::Marginal source = data::load_marginal(file);
  if (source.d() != dims) {
    throw DataError(concat(arguments.points, ": points of dimension ", source.d(),
                           ", but the run's marginals have dimension ", dims,
                           "; expected a matrix [k, ", dims,
                           "], one point a row, as x.reshape(-1, ", dims, ") makes one"));
  }
  const std::string bad = data::find_nonfinite(source, 0, source.n());
  if (!bad.empty()) throw DataError(bad);
  Points points;
  points.count = source.n();
  points.values.resize(static_cast<std::size_t>(points.count * dims));
  source.read_range(0, points.count, {}, points.values.data());
  return points;
}

void write_evaluation(const std::string& out, const Evaluation& evaluation) {
  create_output_directory(out);
  const auto count = static_cast<std::int64_t>(evaluation.potential.size());
  data::write_npy(out + "/potential.npy", evaluation.potential, std::vector{count});
  if (!evaluation.map.empty()) {
    const auto dims = static_cast<std::int64_t>(evaluation.map.size()) / count;
    data::write_npy(out + "/map.npy", evaluation.map, std::vector{count, dims});
  }
}

void print_outcome(const EvalArguments& arguments, double scale, const std::string& cost,
                   const Points& points, const Evaluation& evaluation) {
  if (scale != 1) {
    std::cout << "points of " << arguments.points
              << (arguments.as_is ? " taken as they are (--as-is), not" : "") << " times " << scale
              << ", the scale of marginal " << arguments.marginal
              << (arguments.as_is ? "" : "; --as-is leaves it out") << '\n';
  }
  std::cout << "potential of marginal " << arguments.marginal << " at " << points.count
            << " points: " << arguments.out << "/potential.npy\n";
  if (evaluation.map.empty()) {
    std::cout << "no map.npy: cost " << cost << " has no entropic map\n";
  } else {
    std::cout << "entropic map to marginal " << 1 - arguments.marginal << ": " << arguments.out
              << "/map.npy\n";
  }
  std::cout << std::flush;
}

}  // namespace

int eval(const EvalArguments& arguments, const LoadedConfiguration& loaded, Session& session) {
  Context context = session.context();
  Record result;
  collectively(session.world, "checking the run and the output directory", [&] {
    result = read_result(arguments.run_directory);
    if (session.is_first()) check_output_directory(arguments.out);
  });
  const Problem problem = load_problem(loaded.typed.problem, context);
  std::unique_ptr<Fitted> fitted;
  double scale = 1;
  Points points;
  collectively(session.world, "reading the run", [&] {
    check_run_of(arguments.run_directory, result, loaded.fingerprints, problem);
    fitted = entry_of(loaded.typed)
                 .restore(read_stored_run(arguments.run_directory, result), problem, context.pool);
    const std::int64_t dims =
        fitted->num_dims(index(arguments.marginal));  // a matrix of costs has no marginals to scale
    scale = loaded.typed.problem.marginals.at(index(arguments.marginal)).scale;
    points = read_points(arguments, arguments.as_is ? 1 : scale, dims);
  });

  Evaluation evaluation;
  collectively(session.world, "evaluating", [&] {
    if (fitted->has_map() || arguments.debiased) {
      evaluation = fitted->map(arguments.marginal, points.values, arguments.debiased);
    } else {
      evaluation.potential = fitted->potential(arguments.marginal, points.values);
    }
  });

  collectively(session.world, "writing the evaluation", [&] {
    check_unchanged(problem);
    if (session.is_first()) write_evaluation(arguments.out, evaluation);
  });
  if (session.is_first()) {
    print_outcome(arguments, scale, loaded.typed.problem.cost, points, evaluation);
  }
  return 0;
}

}  // namespace kantor::launch
