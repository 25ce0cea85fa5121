// What the doctor makes of what it met, on machines that this one is not.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <limits>

#include "launch/doctor/check.hpp"
#include "launch/doctor/disk.hpp"
#include "launch/doctor/gpu.hpp"
#include "launch/doctor/machine.hpp"
#include "launch/doctor/ranks.hpp"
#include "launch/doctor/shared_memory.hpp"
#include "launch/doctor/speed.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::launch {
namespace {

using testing::HasSubstr;
using testing::Not;

/// A verdict other than ok goes with what to do.
void expect_verdict(const Check& check, Verdict verdict) {
  EXPECT_EQ(check.verdict, verdict) << line_of(check);
  EXPECT_EQ(check.remedy.empty(), verdict == Verdict::ok) << line_of(check);
}

TEST(DoctorCheck, is_one_line_whatever_it_says) {
  EXPECT_EQ(line_of({.verdict = Verdict::warn, .name = "disk", .text = "a\nb", .remedy = "c"}),
            "warn  disk             a b; c");
  EXPECT_TRUE(line_of({.verdict = Verdict::fail, .name = "n"}).starts_with("FAIL"));
}

TEST(DoctorCheck, fails_when_it_throws) {
  const Check check =
      attempt_check("memory", []() -> Check { throw std::runtime_error("no /proc"); });
  EXPECT_EQ(check.verdict, Verdict::fail);
  EXPECT_EQ(check.name, "memory");
  EXPECT_EQ(check.text, "no /proc");
}

TEST(DoctorCheck, warns_when_threads_outnumber_cores) {
  const auto judge = [](int ranks, int threads, int cores, int available) {
    return judge_cores({.num_ranks = ranks,
                        .num_threads = threads,
                        .num_cores = cores,
                        .num_available = available});
  };
  expect_verdict(judge(2, 2, 4, 4), Verdict::ok);
  expect_verdict(judge(4, 1, 4, 1), Verdict::ok);  // bound, one core each
  expect_verdict(judge(3, 1, 2, 2), Verdict::warn);
  expect_verdict(judge(2, 2, 2, 2), Verdict::warn);
  expect_verdict(judge(1, 2, 4, 1), Verdict::warn);
  EXPECT_THAT(judge(3, 1, 2, 2).text, HasSubstr("3 ranks x 1 thread on 2 cores"));
}

TEST(DoctorCheck, warns_when_memory_is_short) {
  expect_verdict(judge_memory(1e9, 4), Verdict::ok);
  expect_verdict(judge_memory(.98e9, 4), Verdict::warn);
}

TEST(DoctorCheck, warns_of_what_dead_ranks_left_in_shared_memory) {
  const test::TemporaryDirectory folder;
  const std::string path = std::filesystem::canonical(folder.path()).string();
  const auto make = [&](const std::string& name, int age_s) {
    const int fd = open((path + "/" + name).c_str(), O_RDWR | O_CREAT, 0600);
    const timespec then = {.tv_sec = std::time(nullptr) - age_s, .tv_nsec = 0};
    const timespec times[] = {then, then};
    EXPECT_EQ(ftruncate(fd, 4'000'000) + futimens(fd, times), 0);
    return fd;
  };
  close(make("vader_segment.host.0.1.0", 10));
  close(make("of_another_program", 1000));
  const int used = make("nccl-abc", 1000);
  void* mapped = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, used, 0);
  ASSERT_NE(mapped, MAP_FAILED);
  EXPECT_EQ(check_shared_memory(path).verdict, Verdict::ok) << line_of(check_shared_memory(path));
  close(make("vader_segment.host.0.2.0", 1000));
  const Check check = check_shared_memory(path);
  EXPECT_EQ(check.verdict, Verdict::warn);
  EXPECT_THAT(check.text, HasSubstr("1 file of dead ranks, 4.0 MB"));
  EXPECT_THAT(check.remedy, HasSubstr("remove " + path + "/vader_segment.host.0.2.0;"));
  munmap(mapped, 4096);
  close(used);
}

TEST(DoctorCheck, warns_of_other_threads_and_second_libraries) {
  expect_verdict(judge_omp_threads("1"), Verdict::ok);
  expect_verdict(judge_omp_threads("16"), Verdict::warn);
  expect_verdict(judge_omp_threads(nullptr), Verdict::warn);

  expect_verdict(judge_openmp({"/a/libtorch_cpu.so", "/a/libgomp.so.1"}), Verdict::ok);
  expect_verdict(judge_openmp({}), Verdict::ok);
  const Check twice = judge_openmp({"/a/libgomp.so.1", "/usr/lib/libiomp5.so"});
  expect_verdict(twice, Verdict::warn);
  EXPECT_THAT(twice.text, HasSubstr("/usr/lib/libiomp5.so"));

  expect_verdict(judge_blas({"/a/libtorch_cpu.so"}), Verdict::ok);
  expect_verdict(judge_blas({"/a/libtorch_cpu.so", "/b/libopenblas.so.0"}), Verdict::warn);

  expect_verdict(judge_torch({"/a/libtorch_cpu.so"}), Verdict::ok);
  expect_verdict(judge_torch({"/a/libtorch_cpu.so", "/b/libtorch_cpu.so"}), Verdict::fail);

  expect_verdict(judge_mpi({.version = "Open MPI v4.1.4", .compiled = "", .path = "/l"}),
                 Verdict::ok);
  expect_verdict(judge_mpi({.version = "Open MPI v5.0.1",
                            .compiled = "Open MPI v4.1.4",
                            .is_other_series = true,
                            .path = "/l"}),
                 Verdict::warn);
}

TEST(DoctorCheck, finds_the_libraries_of_this_process) {
  expect_verdict(judge_torch(mapped_libraries()), Verdict::ok);
  const MpiLibrary mpi = mpi_library();
  EXPECT_THAT(mpi.path, HasSubstr("libmpi"));
  EXPECT_FALSE(mpi.version.empty());
  expect_verdict(judge_mpi(mpi), Verdict::ok);
}

TEST(DoctorCheck, fails_when_kernels_are_wrong_and_warns_when_they_are_slow) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_verdict(judge_soft_min(0.5, 0.5), Verdict::ok);
  expect_verdict(judge_soft_min(1.5, 0.5), Verdict::fail);
  expect_verdict(judge_soft_min(0.5, 1.5), Verdict::fail);
  expect_verdict(judge_soft_min(nan, 0.5), Verdict::fail);
  ThreadPool pool(2);
  expect_verdict(check_soft_min_values(pool), Verdict::ok);
  expect_verdict(judge_gemm(30), Verdict::ok);
  expect_verdict(judge_gemm(1), Verdict::warn);
}

CudaFacts facts_of_a_gpu() {
  return {.cuda_compiled = 13000,
          .cuda_runtime = 13000,
          .cuda_driver = 13000,
          .cuda_path = "/c",
          .nccl_compiled = 22809,
          .nccl = 22809,
          .nccl_path = "/n",
          .devices = {{"H", "9.0", 80'000'000'000}, {"H", "9.0", 80'000'000'000}},
          .problem = ""};
}

TEST(DoctorCheck, is_content_with_gpus_that_suffice) {
  for (const Check& check : judge_gpus(facts_of_a_gpu(), true, 2)) {
    expect_verdict(check, Verdict::ok);
  }
  const auto checks = judge_gpus(facts_of_a_gpu(), true, 2);
  EXPECT_THAT(checks.at(0).text, HasSubstr("13.0, /c"));
  EXPECT_THAT(checks.at(1).text, HasSubstr("2.28.9, /n"));
  EXPECT_EQ(checks.at(2).text, "2 x H (compute 9.0, 80.0 GB)");
}

TEST(DoctorCheck, warns_of_products_with_fewer_bits) {
  expect_verdict(judge_tf32(nullptr), Verdict::ok);
  expect_verdict(judge_tf32("0"), Verdict::ok);
  expect_verdict(judge_tf32("1"), Verdict::warn);
  EXPECT_THAT(judge_tf32("1").text, HasSubstr("NVIDIA_TF32_OVERRIDE=1"));
}

TEST(DoctorCheck, warns_of_gpus_that_do_not_suffice) {
  expect_verdict(judge_gpus(facts_of_a_gpu(), true, 3).at(2), Verdict::warn);
  CudaFacts old = facts_of_a_gpu();
  old.nccl = 22707;
  old.cuda_runtime = 12080;
  expect_verdict(judge_gpus(old, true, 1).at(0), Verdict::warn);
  expect_verdict(judge_gpus(old, true, 1).at(1), Verdict::warn);
}

TEST(DoctorCheck, takes_a_machine_without_gpus_calmly_but_not_one_that_hides_them) {
  CudaFacts facts = facts_of_a_gpu();
  facts.devices.clear();
  facts.problem = "cudaGetDeviceCount: 35";
  const Check hidden = judge_gpus(facts, true, 1).at(2);
  expect_verdict(hidden, Verdict::warn);
  EXPECT_THAT(hidden.text, HasSubstr("35"));
  expect_verdict(judge_gpus(facts, false, 1).at(2), Verdict::warn);  // the driver answers
  facts.cuda_driver = 0;
  expect_verdict(judge_gpus(facts, true, 1).at(2), Verdict::warn);
  const Check none = judge_gpus(facts, false, 1).at(2);
  expect_verdict(none, Verdict::ok);
  EXPECT_THAT(none.text, HasSubstr("CPU only"));
  EXPECT_THAT(none.text, Not(HasSubstr("35")));
}

TEST(DoctorCheck, warns_of_gpu_kernels_that_disagree) {
  expect_verdict(judge_gpu_kernels({}), Verdict::ok);
  EXPECT_THAT(judge_gpu_kernels({"cost 2: off"}).text, Not(HasSubstr("more")));
  const Check two = judge_gpu_kernels({"cost 2: off", "cost 4: off"});
  expect_verdict(two, Verdict::warn);
  EXPECT_EQ(two.text, "cost 2: off (and 1 more)");
}

TEST(DoctorCheck, fails_when_the_launcher_announces_more_ranks) {
  const auto world = make_self_communicator();
  expect_verdict(judge_launcher({}, *world), Verdict::ok);
  expect_verdict(judge_launcher({.num_ranks = 1, .under_launcher = true, .source = "V"}, *world),
                 Verdict::ok);
  const Check check =
      judge_launcher({.num_ranks = 3, .under_launcher = true, .source = "V"}, *world);
  EXPECT_EQ(check.verdict, Verdict::fail);
  EXPECT_THAT(check.text, HasSubstr("V announces 3 ranks, but MPI has 1"));
}

/// Adds one to every sum.
class WrongSum final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_rank() const override { return 0; }
  int local_size() const override { return 1; }
  std::string backend_name() const override { return "wrong"; }
  void abort(int) override { std::abort(); }

 protected:
  void do_all_reduce(void* buffer, std::int64_t count, ElementType type, ReduceOp op,
                     const Call&) override {
    if (type == ElementType::float32 && op == ReduceOp::sum && count == 7) {
      static_cast<float*>(buffer)[6] += 1;
    }
  }
  void do_all_gather(const void*, void*, std::int64_t, ElementType, const Call&) override {}
  void do_reduce_scatter(const void*, void*, std::int64_t, ElementType, const Call&) override {}
  void do_broadcast(void*, std::int64_t, ElementType, int, const Call&) override {}
  void do_barrier(const Call&) override {}
  std::int64_t do_agree(std::int64_t value, const Call&) override { return value; }
};

TEST(DoctorCheck, fails_when_one_sum_of_ranks_is_wrong) {
  WrongSum wrong;
  const Check check = check_all_reduce(wrong);
  expect_verdict(check, Verdict::fail);
  EXPECT_THAT(check.text, HasSubstr("1 wrong value"));
  expect_verdict(check_all_reduce(*make_self_communicator()), Verdict::ok);
}

TEST(DoctorCheck, tries_the_disk_and_leaves_nothing_there) {
  const test::TemporaryDirectory folder;
  const auto checks = check_disk(folder.file("not/yet/there"));
  ASSERT_EQ(checks.size(), 3u);
  EXPECT_EQ(checks.front().name, "run directory");
  for (const Check& check : checks) EXPECT_NE(check.verdict, Verdict::fail) << line_of(check);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(DoctorCheck, fails_when_the_disk_cannot_be_written) {
  const test::TemporaryDirectory folder;
  std::ofstream(folder.file("file")) << "text";
  for (const std::string& out :
       {folder.file("file"), folder.file("file/below"), std::string("/proc/kantor")}) {
    const auto checks = check_disk(out);
    ASSERT_EQ(checks.size(), 1u) << out;
    expect_verdict(checks.front(), Verdict::fail);
  }
}

}  // namespace
}  // namespace kantor::launch
