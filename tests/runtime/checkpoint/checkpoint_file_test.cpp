#include "runtime/checkpoint/checkpoint_file.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/core/error.hpp"
#include "tests/runtime/checkpoint/allocations.hpp"
#include "tests/runtime/checkpoint/faulty_files.hpp"
#include "tests/runtime/checkpoint/samples.hpp"
#include "tests/support/temporary_directory.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::checkpoint {
namespace {

using test::expect_same;
using test::FaultyFiles;
using test::message_of;
using test::sample_snapshot;
using testing::ElementsAre;
using testing::HasSubstr;

TEST(CheckpointFile, gives_back_every_bit_of_every_type) {
  expect_same(decode(encode(sample_snapshot(1000))), sample_snapshot(1000));
}

TEST(CheckpointFile, gives_back_an_empty_snapshot) {
  expect_same(decode(encode(Snapshot{})), Snapshot{});
}

TEST(CheckpointFile, gives_back_as_many_tensors_and_entries_as_are_allowed) {
  Snapshot snapshot;
  for (std::size_t i = 0; i < kMostTensors; ++i) {
    snapshot.tensors.push_back(
        test::tensor_of<float>(concat("t", i), {1}, {static_cast<float>(i)}));
  }
  for (std::size_t i = 0; i < kMostEntries; ++i) {
    snapshot.metadata.numbers[concat("n", i)] = 1.0 / static_cast<double>(i + 1);
    snapshot.metadata.integers[concat("i", i)] = static_cast<std::int64_t>(i);
  }
  snapshot.metadata.config_text.assign(kLongestText, 'x');
  expect_same(decode(encode(snapshot)), snapshot);
  snapshot.tensors.push_back(test::tensor_of<float>("one more", {1}, {0}));
  EXPECT_THROW(encode(snapshot), ValueError);
}

TEST(CheckpointFile, puts_tensors_at_multiples_of_64_as_they_lie_in_memory) {
  const Snapshot snapshot = sample_snapshot(7);
  const test::Bytes file = encode(snapshot);
  for (const Section& section : unframe(file)) {
    EXPECT_EQ((section.bytes.data() - file.data()) % 64, 0);
  }
  const auto parameters = unframe(file)[1].bytes;
  EXPECT_TRUE(std::equal(parameters.begin(), parameters.end(), snapshot.tensors[0].data.begin(),
                         snapshot.tensors[0].data.end()));
}

TEST(CheckpointFile, keeps_its_metadata_readable) {
  const test::Bytes file = encode(sample_snapshot(1000));
  const auto metadata = unframe(file)[0].bytes;
  const std::string text(reinterpret_cast<const char*>(metadata.data()), metadata.size());
  for (const char* part : {"kind = \"eot\"", "512000", "4 best 3 100", "-inf", "10 parameters"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
}

TEST(CheckpointFile, is_synchronised_before_and_its_folder_after_it_gets_its_name) {
  const test::TemporaryDirectory folder;
  FaultyFiles files;
  const std::string path = folder.file("a.kantor");
  std::vector<std::string> visible;
  files.after = [&](const std::string& call) {
    if (std::filesystem::exists(path)) visible.push_back(call);
  };
  write_checkpoint(path, encode(sample_snapshot(1)), files);
  EXPECT_THAT(files.calls, ElementsAre("open", "write", "fsync", "close",  // aside
                                       "open", "read", "read", "close",    // read back
                                       "rename", "open", "fsync", "close"));
  EXPECT_THAT(visible, ElementsAre("rename", "open", "fsync", "close"));
  expect_same(read_checkpoint(path), sample_snapshot(1));
}

TEST(CheckpointFile, survives_interrupted_calls_and_short_writes) {
  const test::TemporaryDirectory folder;
  FaultyFiles files;
  files.interrupts = true;
  files.longest = 7;
  write_checkpoint(folder.file("a.kantor"), encode(sample_snapshot(1)), files);
  EXPECT_GT(files.calls.size(), 1000u);
  expect_same(read_checkpoint(folder.file("a.kantor"), files), sample_snapshot(1));
  EXPECT_EQ(test::load_bytes(folder.file("a.kantor")), encode(sample_snapshot(1)));
}

TEST(CheckpointFile, damaged_on_its_way_to_the_disk_never_gets_its_name) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.file("a.kantor");
  write_checkpoint(path, sample_snapshot(1));
  FaultyFiles files;
  files.after = [&](const std::string& call) {
    const std::string aside = concat(path, ".tmp.", ::getpid());
    if (call != "fsync" || !std::filesystem::exists(aside)) return;
    test::Bytes bytes = test::load_bytes(aside);
    bytes[bytes.size() / 2] ^= std::byte{1};
    test::store_bytes(aside, bytes);
  };
  EXPECT_THROW(write_checkpoint(path, encode(sample_snapshot(2)), files), DataError);
  expect_same(read_checkpoint(path), sample_snapshot(1));
  EXPECT_THAT(test::names_in(folder.path()), ElementsAre("a.kantor"));
}

TEST(CheckpointFile, asks_for_twice_its_size_to_write_and_to_read) {
  const test::TemporaryDirectory folder;
  const std::string path = folder.file("a.kantor");
  const Snapshot snapshot = sample_snapshot(1, 1 << 20);
  const std::size_t size = encode(snapshot).size();
  constexpr std::size_t kSlack = 100'000;  // metadata and streams
  const test::AllocationPeak writing;
  write_checkpoint(path, snapshot);
  EXPECT_LT(writing.bytes(), size + kSlack);
  const test::AllocationPeak reading;
  read_checkpoint(path);
  EXPECT_LT(reading.bytes(), 2 * size + kSlack);
}

TEST(CheckpointFile, that_is_none_is_refused_by_name) {
  const test::TemporaryDirectory folder;
  const auto refusal = [&](const std::string& name) {
    const std::string message = message_of<DataError>([&] { read_checkpoint(folder.file(name)); });
    EXPECT_THAT(message, HasSubstr("cannot read " + folder.file(name)));
    return message;
  };
  EXPECT_THAT(refusal("absent"), HasSubstr("No such file"));
  std::filesystem::create_directory(folder.file("folder"));
  EXPECT_THAT(refusal("folder"), HasSubstr("it is a folder"));
  std::filesystem::create_symlink(folder.file("nowhere"), folder.file("link"));
  EXPECT_THAT(refusal("link"), HasSubstr("No such file"));
  std::filesystem::create_symlink(folder.file("loop"), folder.file("loop"));
  EXPECT_THAT(refusal("loop"), HasSubstr("symbolic links"));
  std::filesystem::create_symlink("/dev/zero", folder.file("device"));
  EXPECT_THAT(refusal("device"), HasSubstr("not a regular file"));
  test::store_bytes(folder.file("empty"), {});
  EXPECT_THAT(refusal("empty"), HasSubstr("0 bytes, too few"));
  test::store_bytes(folder.file("text"), test::bytes_of(std::string(1000, 'x')));
  EXPECT_THAT(refusal("text"), HasSubstr("not a checkpoint"));
}

TEST(CheckpointFile, of_zeros_is_refused_before_memory_is_taken_for_it) {
  const test::TemporaryDirectory folder;
  test::store_bytes(folder.file("zeros"), {});
  std::filesystem::resize_file(folder.file("zeros"), std::uintmax_t{1} << 32);
  const test::AllocationPeak peak;
  EXPECT_THROW(read_checkpoint(folder.file("zeros")), DataError);
  EXPECT_LT(peak.bytes(), 100'000u);
}

TEST(CheckpointFile, that_the_disk_cannot_read_is_an_io_error) {
  const test::TemporaryDirectory folder;
  write_checkpoint(folder.file("a"), sample_snapshot(1));
  FaultyFiles files;
  files.fault = FaultyFiles::Fault::fail;
  files.fault_at = 3;  // open, read, read
  EXPECT_THAT(message_of<IoError>([&] { read_checkpoint(folder.file("a"), files); }),
              HasSubstr("Input/output error"));
}

}  // namespace
}  // namespace kantor::checkpoint
