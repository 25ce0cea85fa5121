#pragma once

#include <cstddef>
#include <memory>

namespace kantor {

/// From the host to the GPU without a wait: two page-locked buffers that take turns, so that the
/// host fills one while the other is still on its way. Torch-free.
class Staging {
 public:
  virtual ~Staging() = default;

  /// The buffer whose turn it is.
  virtual void* buffer() = 0;
  /// Whether it may be filled: the copy that was sent from it last is through. Never waits.
  /// @throws CommError.
  virtual bool is_free() = 0;
  /// Puts a copy of it on the stream and gives the turn to the other. @param stream a cudaStream_t.
  /// @throws CommError.
  virtual void send(void* to_device, std::size_t bytes, void* stream) = 0;
};

/// For up to `bytes` to the current device. Loads libkantor_cuda.so. The destructor waits for the
/// GPU, except while an exception unwinds: then all is left to the end of the process.
/// @throws ConfigError: the library cannot be loaded, no page-locked memory.
std::unique_ptr<Staging> make_page_locked_staging(std::size_t bytes);

}  // namespace kantor
