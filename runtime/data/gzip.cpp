#include "runtime/data/gzip.hpp"

#include <zlib.h>

#include <algorithm>
#include <utility>

#include "runtime/core/error.hpp"

namespace kantor::data {
namespace {

constexpr int kGzipWindow = 15 + 16;  // largest window, gzip framing
constexpr std::size_t kLargestPiece = std::size_t{1} << 30;

}  // namespace

bool is_gzip(std::span<const std::byte> bytes) {
  return bytes.size() >= 2 && bytes[0] == std::byte{0x1f} && bytes[1] == std::byte{0x8b};
}

struct Inflater::State {
  std::string path;
  std::span<const std::byte> input;  ///< not yet handed to zlib
  z_stream stream{};
  bool at_end = false;

  ~State() { inflateEnd(&stream); }

  [[noreturn]] void refuse(const std::string& reason) const {
    throw DataError(concat("cannot decompress ", path, ": ", reason));
  }

  void feed() {
    if (stream.avail_in > 0) return;
    const std::size_t piece = std::min(input.size(), kLargestPiece);
    // zlib's interface is not const-correct; it does not write to its input.
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(input.data()));
    stream.avail_in = static_cast<uInt>(piece);
    input = input.subspan(piece);
  }

  /// After a member: another one, or the end of the file.
  void finish_member() {
    feed();
    at_end = stream.avail_in == 0;
    if (!at_end && inflateReset(&stream) != Z_OK) refuse("zlib could not be reset");
  }
};

Inflater::Inflater(std::string path, std::span<const std::byte> input)
    : state_(std::make_unique<State>()) {
  state_->path = std::move(path);
  state_->input = input;
  if (inflateInit2(&state_->stream, kGzipWindow) != Z_OK) state_->refuse("zlib could not start");
}

Inflater::~Inflater() = default;
Inflater::Inflater(Inflater&&) noexcept = default;

std::size_t Inflater::read(std::span<std::uint8_t> out) {
  State& state = *state_;
  std::size_t done = 0;
  while (done < out.size() && !state.at_end) {
    state.feed();
    const std::size_t piece = std::min(out.size() - done, kLargestPiece);
    state.stream.next_out = out.data() + done;
    state.stream.avail_out = static_cast<uInt>(piece);
    const int status = inflate(&state.stream, Z_NO_FLUSH);
    done += piece - state.stream.avail_out;
    if (status == Z_STREAM_END) {
      state.finish_member();
    } else if (status == Z_BUF_ERROR) {
      state.refuse("the file is truncated");
    } else if (status != Z_OK) {
      const char* detail = state.stream.msg != nullptr ? state.stream.msg : "unknown error";
      state.refuse(concat("the file is damaged (zlib ", status, ": ", detail, ")"));
    }
  }
  return done;
}

}  // namespace kantor::data
