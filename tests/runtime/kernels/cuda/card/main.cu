// What launch/gpu_check.sh asks of a card, without LibTorch and MPI: the kernels of
// libkantor_cuda.so against naive ones in double, their bits, their speed.

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>

#include "tests/runtime/kernels/cuda/card/card.hpp"

namespace kantor::card {

std::vector<double> normal(std::size_t count, double scale, double shift, unsigned seed) {
  std::mt19937_64 engine(seed);
  std::normal_distribution<double> numbers(shift, scale);
  std::vector<double> values(count);
  for (double& value : values) value = numbers(engine);
  return values;
}

namespace {

constexpr const char* kUsage =
    "card_check cards            the GPUs that are seen; 78 if none is\n"
    "card_check values [short]   the kernels against naive ones in double\n"
    "card_check bits             a second run, and kept sums, give the same bits\n"
    "card_check speed [PAIRS]    milliseconds beside the card's floor, of problems up to so many "
    "pairs\n"
    "card_check call D [kept]    a few calls alone, for a profiler\n";

int list_cards() {
  int count = 0;
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code != cudaSuccess || count == 0) {
    std::printf("no GPU is seen: %s\n",
                code == cudaSuccess ? "none is visible" : cudaGetErrorString(code));
    return 78;
  }
  for (int device = 0; device < count; ++device) {
    cudaDeviceProp card{};
    KANTOR_CARD(cudaGetDeviceProperties(&card, device));
    std::printf("GPU %d: %s, compute %d.%d, %d processors, %.0f MB of cache, %.1f GB\n", device,
                card.name, card.major, card.minor, card.multiProcessorCount, card.l2CacheSize / 1e6,
                static_cast<double>(card.totalGlobalMem) / 1e9);
  }
  return 0;
}

int use(int argc, char** argv) {
  const auto is = [&](int place, const char* word) {
    return argc > place && std::strcmp(argv[place], word) == 0;
  };
  if (is(1, "cards") && argc == 2) return list_cards();
  const bool is_known =
      is(1, "values") || is(1, "bits") || is(1, "speed") || (is(1, "call") && argc > 2);
  if (!is_known) {
    std::fputs(kUsage, stderr);
    return 2;
  }
  if (list_cards() != 0) return 78;
  if (is(1, "values")) return check_values(is(2, "short")) ? 0 : 70;
  if (is(1, "bits")) return check_bits() ? 0 : 70;
  if (is(1, "speed")) print_speed(argc > 2 ? std::atof(argv[2]) : 1e10);
  if (is(1, "call")) call_alone(std::atol(argv[2]), is(3, "kept"));
  return 0;
}

}  // namespace
}  // namespace kantor::card

int main(int argc, char** argv) { return kantor::card::use(argc, argv); }
