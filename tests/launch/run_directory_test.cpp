#include "launch/run_directory.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "launch/output_directory.hpp"
#include "runtime/core/error.hpp"
#include "solvers/stored_run.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::launch {
namespace {

using testing::HasSubstr;

Result small_result() {
  Result result;
  result.kind = "eot";
  result.solver = "progot";
  result.cost = "sqeuclidean";
  result.n = {2, 1};
  result.d = {1, 1};
  result.add_potentials("potentials", {{1, -1}, {0}});
  result.add_potentials("divergence", {{1, 2}, {3}});
  result.arrays.push_back({"points", {2, 1}, {1, 2}});
  result.tensors = {{.name = "g", .shape = {1}, .values = {1}}};
  return result;
}

TEST(RunDirectory, records_a_checksum_of_every_file_of_results) {
  const test::TemporaryDirectory folder;
  RunDirectory directory(folder.file("out"));
  directory.write_result(small_result(), {});
  const auto stored = parse_result(read_text_file(directory.file("result.json")));
  ASSERT_TRUE(stored.has_value());
  std::vector<std::string> names;
  const Record checksums = stored->get<Record>("checksums");
  for (const Record::Entry& file : checksums.entries()) {
    names.push_back(file.name);
    const auto checksum = file.value.as<std::string>();
    EXPECT_EQ(checksum, checksum_text(directory.file(file.name))) << file.name;
    EXPECT_EQ(checksum->size(), 16u);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"potentials/0.npy", "potentials/1.npy",
                                             "divergence/0.npy", "divergence/1.npy", "points.npy",
                                             "model.safetensors", "model.json"}));
}

TEST(RunDirectory, keeps_nothing_of_a_result_that_is_not_finite) {
  const test::TemporaryDirectory folder;
  RunDirectory directory(folder.file("out"));
  const auto expect_refused = [&](const Result& result, const std::string& name) {
    try {
      directory.write_result(result, {});
      ADD_FAILURE() << name << " was written";
    } catch (const NumericError& error) {
      EXPECT_EQ(static_cast<int>(error.exit_code()), 70);
      EXPECT_THAT(error.what(), HasSubstr(name));
    }
    EXPECT_FALSE(std::filesystem::exists(directory.file("result.json")));
    EXPECT_FALSE(std::filesystem::exists(directory.file("potentials")));
  };
  Result result = small_result();
  result.kl = std::nan("");
  expect_refused(result, "kl is NaN");
  result = small_result();
  result.arrays[1].values[0] = HUGE_VAL;
  expect_refused(result, "value 0 of potentials/1 is infinite");
  result = small_result();
  result.arrays[2].values[1] = std::nan("");
  expect_refused(result, "value 1 of divergence/0 is NaN");
  result = small_result();
  result.arrays[4].values[1] = std::nan("");
  expect_refused(result, "value 1 of points is NaN");
  result = small_result();
  result.tensors[0].values[0] = -HUGE_VAL;
  expect_refused(result, "value 0 of g is infinite");
  directory.write_result(small_result(), {});
}

}  // namespace
}  // namespace kantor::launch
