#pragma once

#include <cstddef>
#include <string>

namespace kantor {

/// No text that kantor reads whole is longer than this.
inline constexpr std::size_t kLongestTextFile = std::size_t{16} << 20;

enum class Pipes { refused, read };

/// All of a text file. @param pipes whether a pipe may stand for the file; nothing else may, as it
/// might never end. @throws DataError: missing, unreadable, a folder, a device, too long; IoError.
std::string read_whole_text(const std::string& path, Pipes pipes = Pipes::refused);

/// Before a file is opened to write to: opening a pipe would wait for a reader for ever.
/// @throws IoError.
void refuse_pipe(const std::string& path);

}  // namespace kantor
