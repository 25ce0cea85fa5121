#include "runtime/checkpoint/checkpoint_file.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "runtime/checkpoint/frame.hpp"
#include "runtime/checkpoint/metadata_archive.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/atomic_file.hpp"

namespace kantor::checkpoint {
namespace {

constexpr Tag kMetadataTag = {'m', 'e', 't', 'a', 'd', 'a', 't', 'a'};
constexpr Tag kTensorTag = {'t', 'e', 'n', 's', 'o', 'r'};

/// The tensor's bytes, which are as many as its type and shape ask for.
std::span<const std::byte> tensor_section(const Section& section, const Tensor& tensor) {
  const auto expected = static_cast<std::uint64_t>(tensor_bytes(tensor.kind, tensor.shape));
  if (section.tag != kTensorTag || section.bytes.size() != expected) {
    throw DataError(concat("tensor '", tensor.name, "' of type ",
                           type_text(tensor.kind, tensor.shape), " has ", section.bytes.size(),
                           " bytes in the file, expected ", expected));
  }
  return section.bytes;
}

std::vector<std::byte> read_bytes(const std::string& path, data::FileSystem& files) {
  data::InputFile file(path, files);
  // The header first: memory for the rest only if there is a checkpoint of this size.
  std::vector<std::byte> bytes(std::min(file.size(), sizeof(Header)));
  file.read(bytes);
  check_header(bytes, file.size());
  const std::size_t num_read = bytes.size();
  bytes.resize(file.size());
  file.read(std::span(bytes).subspan(num_read));
  return bytes;
}

Snapshot decode(std::span<const std::byte> file, bool with_data) {
  const std::vector<Section> sections = unframe(file);
  if (sections.empty() || sections[0].tag != kMetadataTag) {
    throw DataError("its first section is not metadata");
  }
  Snapshot snapshot = from_archive(sections[0].bytes);
  if (sections.size() != 1 + snapshot.tensors.size()) {
    throw DataError(concat("its metadata name ", snapshot.tensors.size(), " tensors, but it has ",
                           sections.size() - 1));
  }
  for (std::size_t i = 0; i < snapshot.tensors.size(); ++i) {
    const auto bytes = tensor_section(sections[i + 1], snapshot.tensors[i]);
    if (with_data) snapshot.tensors[i].data.assign(bytes.begin(), bytes.end());
  }
  return snapshot;
}

Snapshot read(const std::string& path, data::FileSystem& files, bool with_data) {
  try {
    return decode(read_bytes(path, files), with_data);
  } catch (const DataError& error) {
    const std::string reason = error.what();
    if (reason.starts_with("cannot read ")) throw;  // of the file system, with its path
    throw DataError(concat("cannot read ", path, " as a checkpoint: ", reason));
  }
}

}  // namespace

std::vector<std::byte> encode(const Snapshot& snapshot) {
  const std::string reason = broken_limit(snapshot, true);
  KANTOR_CHECK(reason.empty(), "this snapshot cannot be stored: ", reason);
  const std::string metadata = archive_of(snapshot);
  KANTOR_CHECK(metadata.size() <= kLongestMetadata, "metadata of ", metadata.size(), " bytes");
  std::vector<Section> sections = {{kMetadataTag, std::as_bytes(std::span(metadata))}};
  for (const Tensor& tensor : snapshot.tensors) sections.push_back({kTensorTag, tensor.data});
  return frame(sections);
}

Snapshot decode(std::span<const std::byte> file) { return decode(file, true); }

void write_checkpoint(const std::string& path, std::vector<std::byte> bytes,
                      data::FileSystem& files) {
  data::AtomicFile file(path, files);
  file.write(bytes);
  file.finish();
  std::vector<std::byte>().swap(bytes);  // before as much is taken again
  read_outline(file.written_path(), files);
  file.publish();
  const std::string folder = std::filesystem::path(path).parent_path().string();
  data::synchronise_folder(folder.empty() ? "." : folder, files);
}

void write_checkpoint(const std::string& path, const Snapshot& snapshot) {
  data::FileSystem files;
  write_checkpoint(path, encode(snapshot), files);
}

Snapshot read_outline(const std::string& path, data::FileSystem& files) {
  return read(path, files, false);
}

Snapshot read_checkpoint(const std::string& path, data::FileSystem& files) {
  return read(path, files, true);
}

Snapshot read_checkpoint(const std::string& path) {
  data::FileSystem files;
  return read_checkpoint(path, files);
}

}  // namespace kantor::checkpoint
