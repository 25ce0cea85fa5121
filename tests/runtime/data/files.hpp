#pragma once

// Hand-made files for the readers' tests.

#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "runtime/core/error.hpp"
#include "runtime/data/marginal.hpp"

namespace kantor::test {

inline void write_bytes(const std::string& path, const std::string& bytes) {
  std::filesystem::remove(path);  // a new file: rewriting an old one may wait for the disk
  std::ofstream file(path, std::ios::binary);
  file.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  file.close();
  ASSERT_TRUE(file.good()) << path;
}

inline std::string read_bytes(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

/// The numbers as they lie in memory (little-endian).
template <class T>
std::string raw(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  if (!values.empty()) std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

/// A .npy file of format 1.0, or 2.0 and 3.0 with a four-byte length.
inline std::string npy_file(const std::string& dictionary, const std::string& data, int major = 1) {
  std::string bytes = "\x93NUMPY";
  bytes += static_cast<char>(major);
  bytes += '\0';
  const std::string header = dictionary + "\n";
  for (int i = 0; i < (major == 1 ? 2 : 4); ++i) {
    bytes += static_cast<char>(header.size() >> (8 * i) & 0xff);
  }
  return bytes + header + data;
}

inline std::string npy_dictionary(const std::string& descr, const std::string& shape,
                                  bool fortran_order = false) {
  return "{'descr': '" + descr + "', 'fortran_order': " + (fortran_order ? "True" : "False") +
         ", 'shape': " + shape + ", }";
}

/// idx-ubyte bytes.
inline std::string idx_file(const std::vector<std::uint32_t>& shape, const std::string& data,
                            int type = 8) {
  std::string bytes = {'\0', '\0', static_cast<char>(type), static_cast<char>(shape.size())};
  for (const std::uint32_t size : shape) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(size >> shift & 0xff);
  }
  return bytes + data;
}

inline std::vector<std::int64_t> all_rows(std::int64_t n) {
  std::vector<std::int64_t> rows(static_cast<std::size_t>(n));
  std::iota(rows.begin(), rows.end(), 0);
  return rows;
}

/// Chosen rows of a source, row-major.
template <class T = double>
std::vector<T> values_of(const data::RowSource& source, const std::vector<std::int64_t>& rows) {
  std::vector<T> values(rows.size() * static_cast<std::size_t>(source.num_dims()));
  source.read(rows, values.data());
  return values;
}

template <class T = double>
std::vector<T> values_of(const data::RowSource& source) {
  return values_of<T>(source, all_rows(source.num_rows()));
}

template <class T = double>
std::vector<T> values_of(const data::Marginal& marginal, const std::vector<double>& shift = {}) {
  std::vector<T> values(static_cast<std::size_t>(marginal.n() * marginal.d()));
  marginal.read_range(0, marginal.n(), shift, values.data());
  return values;
}

/// Text of the error of type `Expected` that `action` throws; a test failure if it does not.
template <class Expected, class Action>
std::string message_of(const Action& action) {
  try {
    action();
  } catch (const Expected& error) {
    return error.what();
  } catch (const std::exception& error) {
    ADD_FAILURE() << "another error: " << error.what();
    return "";
  }
  ADD_FAILURE() << "no error";
  return "";
}

}  // namespace kantor::test
