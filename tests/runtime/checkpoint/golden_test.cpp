#include <gtest/gtest.h>

#include "tests/runtime/checkpoint/samples.hpp"

// One file per released format, written once by the kantor that introduced it and never again:
// what a user has on disk must still load. golden/format-1.kantor was written with Boost 1.74 by
//   write_checkpoint("format-1.kantor", golden_snapshot());

namespace kantor::checkpoint {
namespace {

Snapshot golden_snapshot() {
  Snapshot snapshot;
  snapshot.metadata = {.step = 12345,
                       .samples_seen = 6320640,
                       .world_size = 3,
                       .backend = "mpi",
                       .device = "cpu",
                       .precision = "float64",
                       .config_text = "[problem]\nkind = \"eot\"\nepsilon = 0.5\n",
                       .config_hash = 0x0123456789abcdef,
                       .data_fingerprints = {0xffffffffffffffff, 42},
                       .written_unix_s = 1772366400,
                       .environment = {{"kantor", "0.1.0"}, {"libtorch", "2.11.0"}},
                       .numbers = {{"best_gap", 0.1},
                                   {"infinite", std::numeric_limits<double>::infinity()},
                                   {"undefined", std::nan("")}},
                       .integers = {{"skipped_in_a_row", 2}, {"negative", -7}}};
  snapshot.tensors = {test::tensor_of<float>("single", {2, 2}, {1, -2.5F, 0.1F, 1e-45F}),
                      test::tensor_of<double>("double", {3}, {0.1, -0.0, 5e-324}),
                      test::tensor_of<std::int64_t>("whole", {}, {-9007199254740993}),
                      test::tensor_of<std::byte>("bytes", {2}, {std::byte{0}, std::byte{255}}),
                      test::tensor_of<float>("empty", {0}, {})};
  return snapshot;
}

TEST(Golden, file_of_format_1_still_loads) {
  test::expect_same(read_checkpoint(KANTOR_GOLDEN_FOLDER "/format-1.kantor"), golden_snapshot());
}

}  // namespace
}  // namespace kantor::checkpoint
