// export_points PROBLEM.toml FOLDER: the points of a problem file as FOLDER/0.npy, 1.npy, .. in
// double, so that other programs get exactly what kantor reads or generates.

#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "launch/configuration.hpp"
#include "runtime/data/marginal.hpp"
#include "runtime/data/npy.hpp"

namespace kantor {
namespace {

void export_points(const std::string& problem, const std::string& folder,
                   const std::vector<std::string>& settings) {
  const launch::LoadedConfiguration loaded = launch::load_configuration(problem, settings);
  int number = 0;
  for (const data::MarginalConfig& config : loaded.typed.problem.marginals) {
    const data::Marginal marginal = data::load_marginal(config);
    const std::vector<std::int64_t> shape = {marginal.n(), marginal.d()};
    std::vector<double> values(static_cast<std::size_t>(marginal.n() * marginal.d()));
    marginal.read_range(0, marginal.n(), {}, values.data());
    data::write_npy(concat(folder, "/", number++, ".npy"), values, shape);
  }
}

}  // namespace
}  // namespace kantor

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fputs("usage: export_points PROBLEM.toml FOLDER [KEY=VALUE]..\n", stderr);
    return 2;
  }
  try {
    kantor::export_points(argv[1], argv[2], {argv + 3, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "export_points: %s\n", error.what());
    return 1;
  }
  return 0;
}
