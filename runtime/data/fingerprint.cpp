#include "runtime/data/fingerprint.hpp"

#include <xxhash.h>

#include <cinttypes>
#include <cstdio>

#include "runtime/core/error.hpp"

namespace kantor::data {
namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;
constexpr std::size_t kNumBlocks = 64;

}  // namespace

std::uint64_t checksum(std::span<const std::byte> bytes) {
  return XXH3_64bits(bytes.data(), bytes.size());
}

std::string hash_text(std::uint64_t hash) {
  char text[17];
  std::snprintf(text, sizeof text, "%016" PRIx64, hash);
  return text;
}

struct Fingerprint::State {
  XXH3_state_t* hash = XXH3_createState();
  ~State() { XXH3_freeState(hash); }
};

Fingerprint::Fingerprint() : state_(std::make_unique<State>()) {
  KANTOR_CHECK(state_->hash != nullptr && XXH3_64bits_reset(state_->hash) == XXH_OK,
               "the hash could not start");
}

Fingerprint::~Fingerprint() = default;

void Fingerprint::add(std::span<const std::byte> bytes) {
  const std::uint64_t size = bytes.size();
  const bool is_added = XXH3_64bits_update(state_->hash, &size, sizeof size) == XXH_OK &&
                        XXH3_64bits_update(state_->hash, bytes.data(), bytes.size()) == XXH_OK;
  KANTOR_CHECK(is_added, "hashing ", size, " bytes");
}

void Fingerprint::add_content(std::span<const std::byte> bytes) {
  if (bytes.size() <= kLargestWhole) return add(bytes);
  add_number(static_cast<double>(bytes.size()));
  const std::size_t last_start = bytes.size() - kMegabyte;
  for (std::size_t block = 0; block < kNumBlocks; ++block) {
    const std::size_t start = last_start / (kNumBlocks - 1) * block;
    add(bytes.subspan(block + 1 == kNumBlocks ? last_start : start, kMegabyte));
  }
}

std::uint64_t Fingerprint::value() const { return XXH3_64bits_digest(state_->hash); }

}  // namespace kantor::data
