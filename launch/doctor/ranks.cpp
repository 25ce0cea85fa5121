#include "launch/doctor/ranks.hpp"

#include <algorithm>
#include <cstring>
#include <map>

#include "launch/session.hpp"
#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "runtime/core/text.hpp"

namespace kantor::launch {
namespace {

/// Sums and maxima of rank + 1 + i mod 5, small whole numbers that every type holds exactly.
/// @return wrong elements.
template <class T>
std::int64_t num_wrong(Communicator& world, std::int64_t size) {
  const auto ranks = static_cast<std::int64_t>(world.size());
  std::int64_t wrong = 0;
  for (const ReduceOp op : {ReduceOp::sum, ReduceOp::max}) {
    std::vector<T> values(static_cast<std::size_t>(size));
    for (std::int64_t i = 0; i < size; ++i) {
      values[static_cast<std::size_t>(i)] = static_cast<T>(world.rank() + 1 + i % 5);
    }
    world.all_reduce(std::span<T>(values), op, "doctor");
    for (std::int64_t i = 0; i < size; ++i) {
      const std::int64_t expected =
          op == ReduceOp::sum ? ranks * (ranks + 1) / 2 + ranks * (i % 5) : ranks + i % 5;
      if (values[static_cast<std::size_t>(i)] != static_cast<T>(expected)) ++wrong;
    }
  }
  return wrong;
}

/// Seconds of one all_reduce of so many doubles.
double seconds_of(Communicator& world, std::size_t size, int repeats) {
  std::vector<double> values(size, 0.0);
  world.barrier("doctor");
  world.all_reduce(std::span<double>(values), ReduceOp::sum, "doctor");
  const double start_s = monotonic_seconds();
  for (int i = 0; i < repeats; ++i) {
    world.all_reduce(std::span<double>(values), ReduceOp::sum, "doctor");
  }
  return (monotonic_seconds() - start_s) / repeats;
}

}  // namespace

Check describe_ranks(const Communicator& world, const std::vector<std::string>& hosts) {
  std::map<std::string, int> counts;
  for (const std::string& host : hosts) ++counts[host];
  std::vector<std::string> places;
  for (const auto& [host, count] : counts) {
    if (places.size() == 8) {
      places.push_back("..");
      break;
    }
    places.push_back(concat(count, " on ", host));
  }
  return {.name = "ranks",
          .text = concat(world.size(), world.size() == 1 ? " rank" : " ranks", ", backend ",
                         world.backend_name(), ": ", join(places))};
}

Check judge_launcher(const LaunchEnvironment& launched, const Communicator& world) {
  const std::string fault = launcher_fault(launched, world);
  if (!fault.empty()) return {.verdict = Verdict::fail, .name = "launcher", .text = fault};
  return {.name = "launcher",
          .text = launched.under_launcher
                      ? concat(launched.source, " announces ", launched.num_ranks, ", MPI has ",
                               world.size())
                      : "none: one process (mpirun -np 4 kantor doctor checks four)"};
}

Check check_all_reduce(Communicator& world) {
  std::int64_t wrong = 0;
  for (const std::int64_t size : {1, 7, 1000, 262144}) {
    wrong += num_wrong<float>(world, size);
    wrong += num_wrong<double>(world, size);
    wrong += num_wrong<std::int64_t>(world, size);
  }
  const double latency_s = seconds_of(world, 1, 100);
  const double megabyte_s = seconds_of(world, 125'000, 10);
  Check check{.name = "all_reduce"};
  if (wrong > 0) {
    check.verdict = Verdict::fail;
    check.text = concat(wrong, " wrong values on rank ", world.rank());
    check.remedy =
        "results of these ranks cannot be trusted: test this MPI and network by "
        "themselves, or stay on one host";
    return check;
  }
  check.text = concat("right; 8 B in ", 1e6 * latency_s, " us, 1 MB in ", 1e3 * megabyte_s, " ms (",
                      1e-9 * 1e6 / std::max(megabyte_s, 1e-9), " GB/s)");
  if (world.size() == 1) check.text = "right, on one rank";
  return check;
}

std::vector<std::string> gather_texts(Communicator& world, const std::string& mine) {
  const auto width = static_cast<std::size_t>(
      world.agree(static_cast<std::int64_t>(mine.size()), "length of texts") + 1);
  std::vector<std::byte> part(width);
  std::memcpy(part.data(), mine.data(), mine.size());
  std::vector<std::byte> all(width * static_cast<std::size_t>(world.size()));
  world.all_gather(std::span<const std::byte>(part), std::span<std::byte>(all), "texts");
  std::vector<std::string> texts;
  for (std::size_t first = 0; first < all.size(); first += width) {
    texts.emplace_back(reinterpret_cast<const char*>(&all[first]));  // ends in at least one zero
  }
  return texts;
}

}  // namespace kantor::launch
