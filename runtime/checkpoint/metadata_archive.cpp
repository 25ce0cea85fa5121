#include "runtime/checkpoint/metadata_archive.hpp"

// The definitions of Boost's templates for an archive class of our own.
#include <algorithm>
#include <boost/archive/impl/basic_text_iarchive.ipp>
#include <boost/archive/impl/text_iarchive_impl.ipp>
#include <boost/archive/text_iarchive.hpp>
#include <boost/archive/text_oarchive.hpp>
#include <boost/serialization/tracking.hpp>
#include <boost/serialization/version.hpp>
#include <cctype>
#include <charconv>
#include <exception>
#include <istream>
#include <sstream>
#include <streambuf>
#include <utility>

#include "runtime/core/error.hpp"
#include "runtime/core/text.hpp"

namespace kantor::checkpoint {
namespace {

constexpr unsigned kMetadataVersion = 1;

/// A stream over bytes that stay where they are.
class ByteStream : private std::streambuf, public std::istream {
 public:
  explicit ByteStream(std::span<const std::byte> bytes) : std::istream(nullptr) {
    // Never written through: there is no put area.
    char* first = const_cast<char*>(reinterpret_cast<const char*>(bytes.data()));
    setg(first, first, first + bytes.size());
    rdbuf(this);
  }
  std::size_t remaining() const { return static_cast<std::size_t>(egptr() - gptr()); }
  bool has_only_blanks() const {
    for (const char* at = gptr(); at != egptr(); ++at) {
      if (std::isspace(static_cast<unsigned char>(*at)) == 0) return false;
    }
    return true;
  }
};

/// Boost's text archive but for strings, whose announced length Boost allocates unseen.
class BoundedArchive : public boost::archive::text_iarchive_impl<BoundedArchive> {
  using Base = boost::archive::text_iarchive_impl<BoundedArchive>;

 public:
  explicit BoundedArchive(ByteStream& stream) : Base(stream, 0), stream_(stream) { init(); }

  template <class T>
  void load_override(T& value) {
    Base::load_override(value);
  }
  void load_override(std::string& text) {
    std::uint64_t size = 0;
    *this >> size;
    stream_.get();  // the space between
    check_count(size, stream_.remaining());
    text.resize(static_cast<std::size_t>(size));
    stream_.read(text.data(), static_cast<std::streamsize>(size));
    if (!stream_) throw DataError("a text in its metadata ends too early");
  }
  /// @param most also bounded by what the rest of the text can hold: two letters an item.
  void check_count(std::uint64_t count, std::size_t most) const {
    if (count > most || count > stream_.remaining()) {
      throw DataError(concat("its metadata announce ", count, " items where ",
                             std::min(most, stream_.remaining()), " are possible"));
    }
  }

 private:
  ByteStream& stream_;
};

template <class Archive>
std::size_t transfer_count(Archive& archive, std::size_t present, std::size_t most) {
  std::uint64_t count = present;
  archive& count;
  if constexpr (Archive::is_loading::value) archive.check_count(count, most);
  return static_cast<std::size_t>(count);
}

template <class Archive, class Value>
void transfer(Archive& archive, Value& value) {
  archive& value;
}

/// Doubles as the shortest decimal that reads back as the same: readable, and NaN and inf exist.
template <class Archive>
void transfer(Archive& archive, double& value) {
  std::string text = format_number(value);
  archive& text;
  if constexpr (Archive::is_loading::value) {
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (failure != std::errc() || end != text.data() + text.size()) {
      throw DataError("a number in its metadata cannot be read");
    }
  }
}

template <class Archive>
void transfer(Archive& archive, ElementKind& kind) {
  std::uint32_t number = static_cast<std::uint32_t>(kind);
  archive& number;
  // Beyond a byte it is no kind: 0 is none either.
  kind = static_cast<ElementKind>(number <= 0xff ? number : 0);
}

template <class Archive, class Number>
void transfer_list(Archive& archive, std::vector<Number>& values, std::size_t most) {
  values.resize(transfer_count(archive, values.size(), most));
  for (Number& value : values) transfer(archive, value);
}

template <class Archive, class Value>
void transfer_map(Archive& archive, std::map<std::string, Value>& entries) {
  const std::size_t count = transfer_count(archive, entries.size(), kMostEntries);
  if constexpr (Archive::is_loading::value) {
    for (std::size_t i = 0; i < count; ++i) {
      std::string name;
      Value value{};
      transfer(archive, name);
      transfer(archive, value);
      if (!entries.emplace(std::move(name), std::move(value)).second) {
        throw DataError("its metadata hold a name twice");
      }
    }
  } else {
    for (auto& [name, value] : entries) {
      archive& name;
      transfer(archive, value);
    }
  }
}

}  // namespace

// Found by Boost by the type of its argument. A field added later is read under
// `if (version >= 2)`, with kMetadataVersion raised and a golden file of the form before.
template <class Archive>
void serialize(Archive& archive, Snapshot& snapshot, unsigned version) {
  if (version > kMetadataVersion) {  // Boost lets it pass
    throw DataError("its metadata are of a newer form; use a newer kantor");
  }
  Metadata& metadata = snapshot.metadata;
  archive& metadata.step& metadata.samples_seen& metadata.world_size;
  archive& metadata.backend& metadata.device& metadata.precision;
  archive& metadata.config_text& metadata.config_hash;
  transfer_list(archive, metadata.data_fingerprints, kMostEntries);
  archive& metadata.written_unix_s;
  transfer_map(archive, metadata.environment);
  transfer_map(archive, metadata.numbers);
  transfer_map(archive, metadata.integers);
  snapshot.tensors.resize(transfer_count(archive, snapshot.tensors.size(), kMostTensors));
  for (Tensor& tensor : snapshot.tensors) {
    archive& tensor.name;
    transfer(archive, tensor.kind);
    transfer_list(archive, tensor.shape, kMostDimensions);
  }
}

}  // namespace kantor::checkpoint

BOOST_CLASS_VERSION(kantor::checkpoint::Snapshot, kantor::checkpoint::kMetadataVersion)
BOOST_CLASS_TRACKING(kantor::checkpoint::Snapshot, boost::serialization::track_never)

namespace kantor::checkpoint {
namespace {

std::string reason_of(const boost::archive::archive_exception& error) {
  if (error.code == boost::archive::archive_exception::unsupported_version) {
    return "its metadata were written by a newer Boost; use a kantor built with that";
  }
  return concat("its metadata cannot be read: ", error.what());
}

}  // namespace

std::string archive_of(const Snapshot& snapshot) {
  std::ostringstream stream;
  {
    boost::archive::text_oarchive archive(stream);
    archive << snapshot;
  }  // ends the text
  KANTOR_CHECK(stream.good(), "the metadata could not be written to memory");
  return stream.str();
}

Snapshot from_archive(std::span<const std::byte> text) {
  if (text.size() > kLongestMetadata) {
    throw DataError(concat("its metadata have ", text.size(), " bytes, at most ", kLongestMetadata,
                           " are allowed"));
  }
  Snapshot snapshot;
  ByteStream stream(text);
  try {
    BoundedArchive archive(stream);
    archive >> snapshot;
  } catch (const boost::archive::archive_exception& error) {
    throw DataError(reason_of(error));
  }
  if (!stream.has_only_blanks()) throw DataError("its metadata go on after their end");
  const std::string reason = broken_limit(snapshot, false);
  if (!reason.empty()) throw DataError(reason);
  return snapshot;
}

}  // namespace kantor::checkpoint
