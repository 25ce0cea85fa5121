#include "runtime/data/data_format.hpp"

#include <cstddef>
#include <filesystem>
#include <string_view>

#include "runtime/core/error.hpp"
#include "runtime/data/gzip.hpp"
#include "runtime/data/mapped_file.hpp"

namespace kantor::data {

DataFormat format_of(const std::string& path) {
  const std::string extension = std::filesystem::path(path).extension().string();
  if (extension == ".npy") return DataFormat::npy;
  if (extension == ".safetensors") return DataFormat::safetensors;
  const MappedFile file(path);
  const auto bytes = file.bytes();
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\x93NUMPY")) return DataFormat::npy;
  if (is_gzip(bytes)) {
    const std::string inside = std::filesystem::path(path).stem().extension().string();
    if (inside != ".npy" && inside != ".safetensors") return DataFormat::idx;
    throw DataError(
        concat("cannot read ", path,
               ": of compressed files only idx-ubyte is read; decompress it by gunzip"));
  }
  if (bytes.size() >= 3 && bytes[0] == std::byte{0} && bytes[1] == std::byte{0}) {
    return DataFormat::idx;
  }
  if (text.size() > 8 && text[8] == '{') return DataFormat::safetensors;
  const char* remedy = text.starts_with("PK")
                           ? "; it looks like an .npz archive, save the array alone by numpy.save"
                           : "; convert it with numpy.save";
  throw DataError(concat("cannot read ", path,
                         ": neither .npy nor idx-ubyte (plain or gzip) nor .safetensors", remedy));
}

}  // namespace kantor::data
