#include <algorithm>
#include <array>
#include <cstdlib>
#include <iostream>
#include <sstream>

#include "distributed/rank_memory.hpp"
#include "launch/build_info.hpp"
#include "launch/doctor/check.hpp"
#include "launch/doctor/disk.hpp"
#include "launch/doctor/gpu.hpp"
#include "launch/doctor/machine.hpp"
#include "launch/doctor/ranks.hpp"
#include "launch/doctor/shared_memory.hpp"
#include "launch/doctor/speed.hpp"
#include "launch/verbs.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"

namespace kantor::launch {
namespace {

/// Prints on rank 0; elsewhere keeps what is not ok, to be told at the end.
class Report {
 public:
  explicit Report(Communicator& world) : world_(world), speaks_(world.rank() == 0) {}

  void say(const std::string& line) const {
    if (speaks_) std::cout << line << std::endl;  // at once: a later check may hang
  }
  void add(const Check& check) {
    say(line_of(check));
    counted(check.verdict);
    if (check.verdict != Verdict::ok) complaints_.push_back(check);
  }
  void add(const std::vector<Check>& checks) {
    for (const Check& check : checks) add(check);
  }
  void add_others(const std::vector<std::string>& hosts);
  /// Collective. @return the exit code.
  int finish() const;

 private:
  struct Complaint {
    int first_rank;
    int num_ranks;
    std::string name;
    std::string line;
  };
  void counted(Verdict verdict) { ++counts_[static_cast<std::size_t>(verdict)]; }
  std::string my_complaints() const;
  std::vector<Complaint> complaints_of_others(const std::vector<std::string>& texts) const;

  Communicator& world_;
  bool speaks_;
  std::vector<Check> complaints_;
  std::array<int, 3> counts_{};  ///< by verdict
};

/// A line each: the name, a tab, the line that rank 0 would have printed.
std::string Report::my_complaints() const {
  std::string text;
  for (const Check& check : complaints_) text += check.name + "\t" + line_of(check) + "\n";
  return text;
}

/// What rank 0 has not met itself, by name: the first rank's words, and how many said the like.
std::vector<Report::Complaint> Report::complaints_of_others(
    const std::vector<std::string>& texts) const {
  std::vector<Complaint> found;
  for (std::size_t rank = 1; rank < texts.size(); ++rank) {
    std::istringstream lines(texts[rank]);
    for (std::string line; std::getline(lines, line);) {
      const std::string name = line.substr(0, line.find('\t'));
      if (std::any_of(complaints_.begin(), complaints_.end(),
                      [&](const Check& mine) { return mine.name == name; })) {
        continue;
      }
      const auto same = std::find_if(found.begin(), found.end(),
                                     [&](const Complaint& other) { return other.name == name; });
      if (same != found.end()) {
        ++same->num_ranks;
      } else {
        found.push_back({static_cast<int>(rank), 1, name, line.substr(name.size() + 1)});
      }
    }
  }
  return found;
}

void Report::add_others(const std::vector<std::string>& hosts) {
  const std::vector<std::string> texts = gather_texts(world_, my_complaints());
  if (world_.rank() != 0) return;
  for (const Complaint& other : complaints_of_others(texts)) {
    const std::string more =
        other.num_ranks == 1 ? "" : concat(" and ", other.num_ranks - 1, " more");
    say(concat(other.line, " [rank ", other.first_rank, more, ", on ",
               hosts[static_cast<std::size_t>(other.first_rank)], "]"));
    counted(other.line.starts_with("FAIL") ? Verdict::fail : Verdict::warn);
  }
}

int Report::finish() const {
  const bool has_failed =
      world_.agree(counts_[static_cast<std::size_t>(Verdict::fail)] > 0, "the verdict") != 0;
  say(concat(counts_[0], " ok, ", counts_[1], " warn, ", counts_[2], " FAIL"));
  return static_cast<int>(has_failed ? ExitCode::config : ExitCode::done);
}

/// What each rank sees by itself.
void check_process(Report& report, Session& session) {
  const int num_ranks = session.world.local_size();
  ThreadPool& pool = session.pool;
  report.add(attempt_check("processor", check_processor));
  report.add(attempt_check("cores", [&] { return check_cores(num_ranks, pool.num_threads()); }));
  report.add(attempt_check("memory",
                           [&] { return judge_memory(memory_of_rank(session.world), num_ranks); }));
  report.add(attempt_check("shared memory", [] { return check_shared_memory("/dev/shm"); }));
  report.add(attempt_check("soft-min values", [&] { return check_soft_min_values(pool); }));
  report.add(attempt_check("soft-min speed", [&] { return check_soft_min_speed(pool); }));
  report.add(attempt_check("BLAS speed", check_gemm));
  const std::vector<std::string> libraries = mapped_libraries();
  report.add(judge_blas(libraries));
  report.add(judge_omp_threads(std::getenv("OMP_NUM_THREADS")));
  report.add(judge_openmp(libraries));
  report.add(judge_torch(libraries));
  report.add(judge_mpi(mpi_library()));
  report.add(check_gpus(session.world));
}

}  // namespace

int doctor(const DoctorArguments& arguments, Session& session) {
  Communicator& world = session.world;
  Report report(world);
  const std::vector<std::string> hosts = gather_texts(world, host_name());
  report.say(concat(version_line(), " on ", hosts.front()));
  report.add(describe_ranks(world, hosts));
  report.add(judge_launcher(launch_environment(), world));
  const std::string fault = instruction_set_fault(world);
  if (!fault.empty()) {
    report.add({.verdict = Verdict::fail, .name = "instruction set", .text = fault});
  }
  check_process(report, session);
  report.add(check_all_reduce(world));
  if (session.is_first()) report.add(check_disk(arguments.out));
  report.add_others(hosts);
  return report.finish();
}

}  // namespace kantor::launch
