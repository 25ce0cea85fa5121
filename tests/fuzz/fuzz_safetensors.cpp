// Headers of safetensors files: what is taken describes bytes that are there.

#include <cstring>
#include <span>
#include <stdexcept>

#include "runtime/core/error.hpp"
#include "runtime/data/safetensors_header.hpp"
#include "tests/fuzz/fuzz_target.hpp"

namespace kantor::fuzz {
namespace {

std::string file_of(const std::string& header, std::size_t num_bytes) {
  const std::uint64_t length = header.size();
  std::string file(sizeof length, '\0');
  std::memcpy(file.data(), &length, sizeof length);
  return file + header + std::string(num_bytes, 'd');
}

/// With a length that fits the JSON: few changed inputs have one, and no others reach the parser.
std::string with_true_length(std::string file) {
  constexpr std::size_t kLengthBytes = sizeof(std::uint64_t);
  const auto end = file.rfind('}');
  if (file.size() < kLengthBytes || end == std::string::npos || end < kLengthBytes) return file;
  const std::uint64_t length = end + 1 - kLengthBytes;
  std::memcpy(file.data(), &length, sizeof length);
  return file;
}

void check(const std::string& file) {
  const auto header = data::parse_safetensors_header("file", std::as_bytes(std::span(file)));
  const auto num_bytes = static_cast<std::int64_t>(file.size() - header.data_offset);
  std::int64_t covered = 0;
  for (const data::TensorEntry& tensor : header.tensors) {
    if (tensor.begin < 0 || tensor.begin > tensor.end || tensor.end > num_bytes) {
      throw std::logic_error("a tensor beyond the file");
    }
    covered += tensor.num_bytes();
  }
  if (covered != num_bytes) throw std::logic_error("bytes that belong to no tensor, or to two");
}

}  // namespace

Material material() {
  return {
      .seeds = {file_of(R"({"a":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]}})", 8),
                file_of(R"({"__metadata__":{"format":"pt"},"b":{"dtype":"F64","shape":[1],)"
                        R"("data_offsets":[10,18]},"h":{"dtype":"F16","shape":[1],"data_offsets":)"
                        R"([8,10]},"a":{"shape":[],"data_offsets":[0,8],"dtype":"F8_E8M0_NEW"}}  )",
                        18),
                file_of("{}", 0)},
      .words = {"{",
                "}",
                "[",
                "]",
                ",",
                ":",
                "\"",
                "\\",
                "\\u0000",
                "\\ud800",
                "\xff",
                std::string(1, '\0'),
                "null",
                "true",
                "1e9",
                "-1",
                "0",
                "18446744073709551615",
                "18446744073709551616",
                "9223372036854775807",
                "\"dtype\":",
                "\"shape\":[1],",
                "\"data_offsets\":[0,4]",
                "\"F64\"",
                "\"C64\"",
                "\"a\":{",
                "\"__metadata__\":{",
                R"(,"z":{"dtype":"U8","shape":[0],"data_offsets":[8,8]})",
                "[[[[[[[[",
                "{\"a\":"}};
}

void attack(const std::string& input) {
  try {
    check(input);
  } catch (const Error&) {  // of the length, as a rule
  }
  check(with_true_length(input));
}

}  // namespace kantor::fuzz
