#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace kantor::data {

/// XXH3-64 of the bytes and nothing else, as other programs compute it.
std::uint64_t checksum(std::span<const std::byte> bytes);

/// A hash as files and messages have it: 16 hexadecimal digits.
std::string hash_text(std::uint64_t hash);

/// XXH3-64 over parts added one after the other; each part's length is hashed with it.
class Fingerprint {
 public:
  /// Contents up to this many bytes are hashed whole.
  static constexpr std::size_t kLargestWhole = std::size_t{64} << 20;

  Fingerprint();
  ~Fingerprint();
  Fingerprint(const Fingerprint&) = delete;
  Fingerprint& operator=(const Fingerprint&) = delete;

  void add(std::span<const std::byte> bytes);
  template <class T>
  void add_values(std::span<const T> values) {
    add(std::as_bytes(values));
  }
  void add_number(double value) { add_values(std::span<const double>(&value, 1)); }
  void add_text(const std::string& text) { add_values(std::span<const char>(text)); }
  /// All of it up to 64 MB; beyond, its size and 64 evenly spread blocks of 1 MB, first and last
  /// included.
  void add_content(std::span<const std::byte> bytes);

  std::uint64_t value() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kantor::data
