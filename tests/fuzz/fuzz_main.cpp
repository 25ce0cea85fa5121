// NAME [--inputs N] [--seconds S] [--seed K] [--only FILE]
// Attacks a parser with N inputs (50,000), or for S seconds, or with one file. The last line is the
// count. A finding ends the program with 1 or a signal; the input it was about is NAME.input, in
// the working directory.

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "runtime/core/error.hpp"
#include "runtime/core/process.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace kantor::fuzz {
namespace {

constexpr unsigned kHang_s = 60;  // of one input of 64 kB at most: a hang ends by SIGALRM

struct Options {
  std::uint64_t num_inputs = 50'000;
  double seconds = 0;
  std::uint64_t seed = 1;
  std::string only;
};

Options read_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const std::string value = argv[i + 1];
    if (name == "--inputs") options.num_inputs = std::stoull(value);
    if (name == "--seconds") options.seconds = std::stod(value);
    if (name == "--seed") options.seed = std::stoull(value);
    if (name == "--only") options.only = value;
  }
  return options;
}

/// A file that holds the input at hand, so that a crash leaves it behind.
class LastInput {
 public:
  explicit LastInput(const std::string& path)
      : path_(path), fd_(open(path.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
    if (fd_ < 0) throw std::runtime_error("cannot write " + path);
  }
  ~LastInput() { close(fd_); }
  LastInput(const LastInput&) = delete;
  LastInput& operator=(const LastInput&) = delete;

  void set(const std::string& input) const {
    const bool is_set =
        ftruncate(fd_, 0) == 0 && pwrite(fd_, input.data(), input.size(), 0) == std::ssize(input);
    if (!is_set) throw std::runtime_error("cannot write " + path_);
  }
  void remove() const { std::filesystem::remove(path_); }

 private:
  std::string path_;
  int fd_;
};

/// @return whether the parser took the input; it ends the program by a finding.
bool is_taken(const std::string& input) {
  alarm(kHang_s);
  try {
    attack(input);
    return true;
  } catch (const Error&) {
    return false;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "finding: %s\n", error.what());
    std::exit(1);
  }
}

int run(int argc, char** argv) {
  const Options options = read_options(argc, argv);
  if (!options.only.empty()) {
    std::ifstream stream(options.only, std::ios::binary);
    const bool taken = is_taken({std::istreambuf_iterator<char>(stream), {}});
    std::printf("%s\n", taken ? "taken" : "refused");
    return 0;
  }
  const std::string name = std::filesystem::path(argv[0]).filename().string();
  const LastInput last(name + ".input");
  const Material from = material();
  const double end_s = monotonic_seconds() + options.seconds;
  std::uint64_t index = 0;
  std::uint64_t num_taken = 0;
  const auto goes_on = [&] {
    return options.seconds > 0 ? monotonic_seconds() < end_s : index < options.num_inputs;
  };
  for (; goes_on(); ++index) {
    const std::string input = mutated(from, options.seed, index);
    last.set(input);
    num_taken += is_taken(input) ? 1 : 0;
  }
  last.remove();
  std::printf("%s: %llu inputs, %llu of them taken, no finding\n", name.c_str(),
              static_cast<unsigned long long>(index), static_cast<unsigned long long>(num_taken));
  return num_taken > 0 ? 0 : 1;  // where nothing is taken, the seeds are not what they should be
}

}  // namespace
}  // namespace kantor::fuzz

int main(int argc, char** argv) { return kantor::fuzz::run(argc, argv); }
