#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

namespace kantor::data {

/// Bytes that one compressed byte can stand for at most (zlib: 1032).
inline constexpr std::int64_t kLargestDeflateRatio = 1040;

/// True if the bytes start as a gzip file does, whatever its name.
bool is_gzip(std::span<const std::byte> bytes);

/// Decompresses a gzip file (one or more members) piece by piece.
class Inflater {
 public:
  /// @param path  for messages. @param input the whole file, which must outlive this object.
  Inflater(std::string path, std::span<const std::byte> input);
  ~Inflater();
  Inflater(Inflater&&) noexcept;
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  Inflater& operator=(Inflater&&) = delete;

  /// Fills `out`. @return bytes written; fewer than asked for only at the end of the file, whose
  /// checksum was right. @throws DataError: truncated or corrupt.
  std::size_t read(std::span<std::uint8_t> out);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kantor::data
