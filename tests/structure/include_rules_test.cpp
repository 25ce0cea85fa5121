#include "tests/structure/include_rules.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

namespace kantor::test {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// What one include in a file of that path is told.
std::string told(const std::string& path, const std::string& include) {
  const auto broken = broken_include_rules(path, "#include " + include + "\n");
  return broken.empty() ? "" : broken.front();
}

TEST(IncludeRules, hold_in_the_whole_tree) {
  const std::filesystem::path root = KANTOR_SOURCE_DIR;
  std::map<std::string, int> num_files;
  for (const char* folder :
       {"runtime", "distributed", "solvers", "launch", "tests", "experiments"}) {
    if (!std::filesystem::exists(root / folder)) continue;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(root / folder)) {
      const std::string path = entry.path().lexically_relative(root).string();
      if (!entry.is_regular_file() || !is_source_file(path)) continue;
      std::ifstream in(entry.path(), std::ios::binary);
      const std::string text{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
      ASSERT_TRUE(in) << path;
      ++num_files[folder];
      for (const std::string& line : broken_include_rules(path, text)) ADD_FAILURE() << line;
    }
  }
  // A walk that finds nothing proves nothing.
  for (const char* folder : {"runtime", "distributed", "solvers", "launch", "tests"}) {
    EXPECT_GT(num_files[folder], 0) << folder;
  }
}

TEST(IncludeRules, let_arrows_point_down_and_sideways) {
  EXPECT_EQ(told("launch/main.cpp", "\"solvers/registry.hpp\""), "");
  EXPECT_EQ(told("solvers/a.cpp", "\"distributed/communicator.hpp\""), "");
  EXPECT_EQ(told("solvers/a.cpp", "\"runtime/core/log.hpp\""), "");
  EXPECT_EQ(told("runtime/data/a.cpp", "\"runtime/core/log.hpp\""), "");
  EXPECT_EQ(told("tests/launch/a.cpp", "\"launch/a.hpp\""), "");
  EXPECT_EQ(told("tests/launch/a.cpp", "\"tests/support/a.hpp\""), "");
  EXPECT_EQ(told("experiments/bench/a.cpp", "\"solvers/a.hpp\""), "");
  EXPECT_EQ(told("runtime/core/a.cpp", "<vector>"), "");
}

TEST(IncludeRules, refuse_arrows_that_point_up) {
  for (const auto& [path, include] : std::map<std::string, std::string>{
           {"runtime/core/a.cpp", "\"distributed/communicator.hpp\""},
           {"runtime/core/b.cpp", "<distributed/communicator.hpp>"},
           {"runtime/core/c.hpp", "\"solvers/a.hpp\""},
           {"distributed/a.cpp", "\"solvers/a.hpp\""},
           {"solvers/a.cpp", "\"launch/a.hpp\""}}) {
    EXPECT_THAT(told(path, include), HasSubstr("goes up the floor plan")) << path;
  }
  EXPECT_THAT(told("launch/a.cpp", "\"tests/support/a.hpp\""), HasSubstr("is shipped"));
}

TEST(IncludeRules, order_the_folders_of_solvers) {
  for (const auto& [path, include] : std::vector<std::pair<const char*, const char*>>{
           {"solvers/problem/a.cpp", "\"solvers/eot/a.hpp\""},
           {"solvers/eot/a.cpp", "\"solvers/sinkhorn/a.hpp\""},
           {"solvers/sinkhorn/a.hpp", "\"solvers/neural/a.hpp\""},
           {"solvers/device/a.cpp", "\"solvers/problem/a.hpp\""},
           {"solvers/result.hpp", "\"solvers/eot/a.hpp\""},
           {"solvers/neural/a.cpp", "\"solvers/registry.hpp\""}}) {
    EXPECT_THAT(told(path, include), HasSubstr("stands above")) << path;
  }
  EXPECT_THAT(told("solvers/neural/a.cpp", "\"solvers/progot/a.hpp\""), HasSubstr("is no part of"));
  for (const auto& [path, include] : std::vector<std::pair<const char*, const char*>>{
           {"solvers/egw/a.cpp", "\"solvers/neural/a.hpp\""},
           {"solvers/progot/a.cpp", "\"solvers/sinkhorn/a.hpp\""},
           {"solvers/problem/a.cpp", "\"solvers/result.hpp\""},
           {"solvers/solver.hpp", "\"solvers/problem/a.hpp\""},
           {"solvers/registry.cpp", "\"solvers/mgw/a.hpp\""}}) {
    EXPECT_EQ(told(path, include), "") << path;
  }
}

TEST(IncludeRules, refuse_paths_that_do_not_start_at_the_root) {
  EXPECT_THAT(told("solvers/a.cpp", "\"a.hpp\""), HasSubstr("from the root"));
  EXPECT_THAT(told("solvers/a.cpp", "\"../launch/a.hpp\""), HasSubstr("from the root"));
  EXPECT_THAT(told("solvers/a.cpp", "\"runtime/../launch/a.hpp\""), HasSubstr("from the root"));
}

TEST(IncludeRules, keep_restricted_headers_in_their_places) {
  struct Case {
    const char* include;
    const char* inside;
    const char* outside;
  };
  for (const Case& c : {Case{"<mpi.h>", "distributed/mpi/a.hpp", "distributed/a.cpp"},
                        Case{"<mpi.h>", "tests/support/a.cpp", "launch/main.cpp"},
                        Case{"<nccl.h>", "distributed/nccl/a.cpp", "tests/a.cpp"},
                        Case{"<nccl.h>", "tests/support/fake_gpu/a.cpp", "distributed/mpi/a.cpp"},
                        Case{"<boost/archive/a.hpp>", "runtime/checkpoint/a.hpp", "runtime/a.cpp"},
                        Case{"<CLI/CLI.hpp>", "launch/main.cpp", "solvers/a.cpp"},
                        Case{"<toml++/toml.h>", "runtime/config/a.cpp", "runtime/data/a.cpp"},
                        Case{"\"toml++/toml.h\"", "runtime/config/a.cpp", "launch/a.cpp"}}) {
    if (c.include[0] == '<') {
      EXPECT_EQ(told(c.inside, c.include), "");
    }
    EXPECT_THAT(told(c.outside, c.include), HasSubstr("belongs only in")) << c.include;
  }
}

TEST(IncludeRules, keep_torch_out_of_its_free_parts_and_of_headers) {
  for (const char* include : {"<torch/torch.h>", "<ATen/core/Tensor.h>", "<c10/core/Device.h>"}) {
    for (const char* path :
         {"runtime/kernels/a.cpp", "distributed/communicator.hpp", "distributed/self/a.cpp",
          "distributed/mpi/a.cpp", "distributed/thread/a.cpp", "distributed/nccl/a.cpp"}) {
      EXPECT_THAT(told(path, include), HasSubstr("torch-free")) << path << include;
    }
    EXPECT_THAT(told("solvers/a.cu", include), HasSubstr("CUDA files see no torch"));
    EXPECT_EQ(told("solvers/a.cpp", include), "");
    EXPECT_EQ(told("tests/solvers/a.hpp", include), "");
  }
  EXPECT_EQ(told("solvers/a.hpp", "<ATen/core/Tensor.h>"), "");
  EXPECT_THAT(told("solvers/a.hpp", "<torch/torch.h>"), HasSubstr("but ATen/core/Tensor.h"));
  EXPECT_THAT(told("solvers/a.hpp", "<ATen/ATen.h>"), HasSubstr("but ATen/core/Tensor.h"));
}

TEST(IncludeRules, keep_heavy_headers_out_of_headers) {
  EXPECT_THAT(told("launch/a.hpp", "<CLI/CLI.hpp>"), HasSubstr("heavy"));
  EXPECT_THAT(told("runtime/config/a.hpp", "<toml++/toml.h>"), HasSubstr("heavy"));
  EXPECT_THAT(told("runtime/core/a.hpp", "<spdlog/logger.h>"), HasSubstr("heavy"));
  EXPECT_THAT(told("launch/a.hpp", "<nlohmann/json.hpp>"), HasSubstr("heavy"));
  EXPECT_EQ(told("launch/a.cpp", "<nlohmann/json.hpp>"), "");
}

TEST(IncludeRules, keep_the_cuda_runtime_in_cuda_files) {
  EXPECT_EQ(told("runtime/kernels/a.cu", "<cuda_runtime.h>"), "");
  EXPECT_EQ(told("distributed/nccl/a.cpp", "<cuda_runtime_api.h>"), "");
  EXPECT_EQ(told("runtime/core/device.cpp", "<cuda_runtime_api.h>"), "");
  EXPECT_THAT(told("solvers/a.cpp", "<cuda_runtime.h>"), HasSubstr("belong in .cu files"));
}

TEST(IncludeRules, read_includes_however_they_are_spaced) {
  const std::string text =
      "#pragma once\n"
      "  #  include<mpi.h>  // why\n"
      "// #include <nccl.h>\n"
      "#include MACRO\n"
      "#include\n"
      "#include <unclosed\r\n"
      "#includes\n"
      "int include;\n";
  EXPECT_THAT(broken_include_rules("launch/a.cpp", text),
              ElementsAre(HasSubstr("launch/a.cpp:2: #include <mpi.h>"),
                          HasSubstr("launch/a.cpp:4: #include MACRO cannot be read"),
                          HasSubstr("launch/a.cpp:5: "), HasSubstr("launch/a.cpp:6: "),
                          HasSubstr("launch/a.cpp:7: ")));
  EXPECT_THAT(broken_include_rules("launch/a.cpp", ""), IsEmpty());
}

TEST(IncludeRules, look_at_every_kind_of_source_file) {
  for (const char* path : {"a.hpp", "a.cpp", "a.cu", "a.cuh", "a.h", "b/c.inl"}) {
    EXPECT_TRUE(is_source_file(path)) << path;
  }
  for (const char* path : {"a.md", "CMakeLists.txt", "a.sh", "a.toml", "cpp"}) {
    EXPECT_FALSE(is_source_file(path)) << path;
  }
}

}  // namespace
}  // namespace kantor::test
