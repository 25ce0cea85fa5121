#include "runtime/data/data_format.hpp"

#include <cstddef>
#include <filesystem>

#include "runtime/core/error.hpp"
#include "runtime/data/gzip.hpp"
#include "runtime/data/likely_kind.hpp"

namespace kantor::data {

DataFormat format_of(const DataFile& file) {
  const std::filesystem::path path(file.path());
  const std::string extension = path.extension().string();
  if (extension == ".npy") return DataFormat::npy;
  if (extension == ".safetensors") return DataFormat::safetensors;
  const auto bytes = file.bytes();
  if (is_npy(bytes)) return DataFormat::npy;
  if (is_gzip(bytes)) {
    const std::string inside = path.stem().extension().string();
    if (inside != ".npy" && inside != ".safetensors") return DataFormat::idx;
    throw DataError(
        concat("cannot read ", file.path(),
               ": of compressed files only idx-ubyte is read; decompress it by gunzip"));
  }
  if (bytes.size() >= 3 && bytes[0] == std::byte{0} && bytes[1] == std::byte{0}) {
    return DataFormat::idx;
  }
  if (bytes.size() > 8 && bytes[8] == std::byte{'{'}) return DataFormat::safetensors;
  const std::string remedy = likely_kind(bytes);
  throw DataError(concat("cannot read ", file.path(),
                         ": neither .npy nor idx-ubyte (plain or gzip) nor .safetensors",
                         remedy.empty() ? "; convert it with numpy.save" : remedy));
}

}  // namespace kantor::data
