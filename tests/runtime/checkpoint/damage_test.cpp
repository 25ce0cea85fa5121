#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "runtime/checkpoint/checkpoint_file.hpp"
#include "runtime/core/error.hpp"
#include "runtime/data/fingerprint.hpp"
#include "tests/runtime/checkpoint/allocations.hpp"
#include "tests/runtime/checkpoint/samples.hpp"
#include "tests/support/thrown.hpp"

namespace kantor::checkpoint {
namespace {

using test::Bytes;
using test::message_of;
using test::sample_snapshot;
using testing::HasSubstr;

constexpr std::size_t kSlack = 64'000;  // messages

/// Damage must be refused as DataError, with memory of at most twice the file.
void expect_refused(const Bytes& file, const std::string& what) {
  const test::AllocationPeak peak;
  try {
    decode(file);
    ADD_FAILURE() << what << " was not seen";
  } catch (const DataError&) {
  }
  EXPECT_LE(peak.bytes(), 2 * file.size() + kSlack) << what;
}

std::string refusal(const Bytes& file) {
  return message_of<DataError>([&] { decode(file); });
}

/// The file with another header, its checksums made right again.
template <class Change>
Bytes with_header(const Change& change) {
  Bytes file = encode(sample_snapshot(1));
  Header header;
  std::memcpy(&header, file.data(), sizeof header);
  change(header);
  const auto covered = std::as_bytes(std::span(&header, 1)).first(56);
  header.header_checksum = data::checksum(covered);
  std::memcpy(file.data(), &header, sizeof header);
  const std::uint64_t total = data::checksum(std::span(file).first(file.size() - 16));
  std::memcpy(&file[file.size() - 8], &total, sizeof total);
  return file;
}

TEST(Damage, of_any_single_bit_is_seen) {
  Bytes file = encode(sample_snapshot(1000));
  for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
    const std::byte flip{static_cast<unsigned char>(1U << bit % 8)};
    file[bit / 8] ^= flip;
    expect_refused(file, concat("bit ", bit));
    file[bit / 8] ^= flip;
    if (HasFailure()) return;
  }
  EXPECT_NO_THROW(decode(file));
}

TEST(Damage, by_truncation_at_any_length_is_seen) {
  const Bytes file = encode(sample_snapshot(1000));
  for (std::size_t size = 0; size < file.size(); ++size) {
    expect_refused({file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)},
                   concat("length ", size));
    if (HasFailure()) return;
  }
}

TEST(Damage, by_appended_bytes_is_seen) {
  for (const std::size_t count : {1, 15, 16, 64, 4096}) {
    Bytes file = encode(sample_snapshot(1000));
    file.resize(file.size() + count);
    expect_refused(file, concat(count, " bytes"));
    EXPECT_THAT(refusal(file), HasSubstr("something was appended"));
  }
  Bytes twice = encode(sample_snapshot(1));
  const Bytes once = twice;
  twice.insert(twice.end(), once.begin(), once.end());
  expect_refused(twice, "the file twice");
}

TEST(Damage, by_a_zeroed_page_is_seen) {
  const Bytes file = encode(sample_snapshot(1000, 10'000));
  for (std::size_t first = 0; first + 4096 <= file.size(); first += 512) {
    Bytes damaged = file;
    std::fill_n(damaged.begin() + static_cast<std::ptrdiff_t>(first), 4096, std::byte{0});
    expect_refused(damaged, concat("page at ", first));
  }
}

TEST(Damage, by_parts_of_another_checkpoint_is_seen) {
  const Bytes a = encode(sample_snapshot(1000));
  const Bytes b = encode(sample_snapshot(2000));
  ASSERT_EQ(a.size(), b.size());
  for (std::size_t cut = 64; cut < a.size(); cut += 64) {
    Bytes torn = a;
    std::copy(b.begin() + static_cast<std::ptrdiff_t>(cut), b.end(),
              torn.begin() + static_cast<std::ptrdiff_t>(cut));
    expect_refused(torn, concat("torn at ", cut));
  }
}

TEST(Damage, is_located) {
  const Bytes file = encode(sample_snapshot(1000));
  const auto damaged_at = [&](std::size_t at) {
    Bytes damaged = file;
    damaged[at] ^= std::byte{4};
    return refusal(damaged);
  };
  const std::size_t table = 64;
  const std::size_t metadata = 64 + 6 * 32;
  EXPECT_THAT(damaged_at(0), HasSubstr("not a checkpoint"));
  EXPECT_THAT(damaged_at(40), HasSubstr("its header is damaged"));
  EXPECT_THAT(damaged_at(table + 9), HasSubstr("section table is damaged"));
  EXPECT_THAT(damaged_at(metadata + 9), HasSubstr("section 0 ('metadata'"));
  EXPECT_THAT(damaged_at(file.size() - 9), HasSubstr("trailer is damaged"));
}

TEST(Damage, does_not_hide_a_newer_format) {
  const std::string message = refusal(with_header([](Header& h) { h.format_version = 2; }));
  EXPECT_THAT(message, HasSubstr("format 2, this kantor reads format 1; use a newer kantor"));
  EXPECT_THAT(refusal(with_header([](Header& h) { h.byte_order = 0x04030201; })),
              HasSubstr("other byte order"));
}

TEST(Damage, of_a_header_that_lies_is_refused_with_right_checksums) {
  EXPECT_NO_THROW(decode(with_header([](Header&) {})));
  for (const std::uint64_t count :
       {std::uint64_t{0}, std::uint64_t{5}, std::uint64_t{7}, std::uint64_t{65538},
        std::uint64_t{1} << 59, ~std::uint64_t{0}}) {
    expect_refused(with_header([&](Header& h) { h.num_sections = count; }),
                   concat(count, " sections"));
  }
  for (const std::uint64_t size : {std::uint64_t{0}, std::uint64_t{80}, ~std::uint64_t{0}}) {
    expect_refused(with_header([&](Header& h) { h.total_bytes = size; }), concat(size, " bytes"));
  }
}

TEST(Damage, of_a_table_that_lies_is_refused_with_right_checksums) {
  using Change = void (*)(std::vector<TableEntry>&);
  const Change changes[] = {
      [](std::vector<TableEntry>& t) { t[1].length = ~std::uint64_t{0}; },
      [](std::vector<TableEntry>& t) { t[1].length = ~std::uint64_t{0} - t[1].offset + 1; },
      [](std::vector<TableEntry>& t) { t[1].offset = ~std::uint64_t{0}; },
      [](std::vector<TableEntry>& t) { t[1].offset += 64; },
      [](std::vector<TableEntry>& t) { t[1].offset = 0; },
      [](std::vector<TableEntry>& t) { t[2].offset = t[1].offset; },
      [](std::vector<TableEntry>& t) { std::swap(t[1], t[2]); },
      [](std::vector<TableEntry>& t) { t[5].length += 64; },
      [](std::vector<TableEntry>& t) { t[0].length = 0; },
  };
  for (std::size_t i = 0; i < std::size(changes); ++i) {
    std::vector<TableEntry> table(6);
    const Bytes original = encode(sample_snapshot(1));
    std::memcpy(table.data(), &original[64], 6 * 32);
    changes[i](table);
    Bytes file = with_header(
        [&](Header& h) { h.table_checksum = data::checksum(std::as_bytes(std::span(table))); });
    std::memcpy(&file[64], table.data(), 6 * 32);
    const std::uint64_t total = data::checksum(std::span(file).first(file.size() - 16));
    std::memcpy(&file[file.size() - 8], &total, sizeof total);
    expect_refused(file, concat("change ", i));
    EXPECT_THAT(refusal(file), HasSubstr("does not fit")) << i;
  }
}

}  // namespace
}  // namespace kantor::checkpoint
