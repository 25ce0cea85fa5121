#include "runtime/core/memory_limits.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <fstream>
#include <limits>

#include "tests/support/temporary_directory.hpp"

namespace kantor::test {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kNoLimit = std::numeric_limits<std::int64_t>::max();

void write(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file) << text << '\n';
}

TEST(MemoryLimits, take_the_least_of_all_groups_above) {
  const TemporaryDirectory root;
  const fs::path mount = root.path();
  const std::string member = "0::/system/job_7/step_0\n";
  EXPECT_EQ(memory_left_by_cgroups(mount, member), kNoLimit);
  write(mount / "system/job_7/step_0/memory.max", "max");
  write(mount / "system/job_7/step_0/memory.current", "900");
  EXPECT_EQ(memory_left_by_cgroups(mount, member), kNoLimit);
  write(mount / "system/job_7/memory.max", "5000");
  write(mount / "system/job_7/memory.current", "1500");
  EXPECT_EQ(memory_left_by_cgroups(mount, member), 3500);
  write(mount / "system/job_7/memory.stat", "anon 800\ninactive_file 400\nactive_file 300");
  EXPECT_EQ(memory_left_by_cgroups(mount, member), 4050);
  write(mount / "memory.max", "2000");  // as a container sees its own
  write(mount / "memory.current", "1900");
  EXPECT_EQ(memory_left_by_cgroups(mount, member), 100);
  write(mount / "memory.current", "2100");
  EXPECT_EQ(memory_left_by_cgroups(mount, member), 0);
  EXPECT_EQ(memory_left_by_cgroups(mount / "nowhere", member), kNoLimit);
  EXPECT_EQ(memory_left_by_cgroups(mount, ""), kNoLimit);
}

TEST(MemoryLimits, read_groups_of_version_1) {
  const TemporaryDirectory root;
  const fs::path mount = root.path();
  const std::string members = "5:cpu,cpuacct:/slurm\n4:memory:/slurm/job:3/step\n0::/slurm\n";
  write(mount / "memory/slurm/job:3/memory.limit_in_bytes", "5000");
  write(mount / "memory/slurm/job:3/memory.usage_in_bytes", "1500");
  write(mount / "memory/slurm/job:3/memory.stat",
        "inactive_file 1\ntotal_inactive_file 500\ntotal_active_file 100");
  EXPECT_EQ(memory_left_by_cgroups(mount, members), 4050);
  EXPECT_EQ(memory_left_by_cgroups(mount, "5:cpu,memory_x:/slurm/job:3\n"), kNoLimit);
}

TEST(MemoryLimits, of_the_address_space_are_what_is_not_mapped_yet) {
  rlimit before{};
  ASSERT_EQ(getrlimit(RLIMIT_AS, &before), 0);
  constexpr std::int64_t kLimit = std::int64_t{1} << 44;  // more than any sanitizer maps, almost
  const rlimit lowered{static_cast<rlim_t>(kLimit), before.rlim_max};
  if (before.rlim_max == RLIM_INFINITY || before.rlim_max >= lowered.rlim_cur) {
    ASSERT_EQ(setrlimit(RLIMIT_AS, &lowered), 0);
    const std::int64_t left = memory_left_by_ulimit();
    ASSERT_EQ(setrlimit(RLIMIT_AS, &before), 0);
    EXPECT_GE(left, 0);
    EXPECT_LT(left, kLimit);
  }
}

}  // namespace
}  // namespace kantor::test
