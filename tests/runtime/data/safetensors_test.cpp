#include "runtime/data/safetensors.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "runtime/data/data_file.hpp"
#include "runtime/data/marginal.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::data {
namespace {

using test::raw;
using testing::ElementsAre;
using testing::HasSubstr;

std::string file_of(const std::string& header, const std::string& data) {
  return raw(std::vector<std::uint64_t>{header.size()}) + header + data;
}

const std::vector<NamedTensor> kTensors = {
    {.name = "layer.0.weight", .shape = {2, 3}, .values = {1, 2, 3, 4, 5, 0.1}, .is_float64 = true},
    {.name = "bias \"q\"", .shape = {2}, .values = {0.5, -1}, .is_float64 = false},
    {.name = "scalar", .shape = {}, .values = {7}, .is_float64 = true},
    {.name = "none", .shape = {0, 4}, .values = {}, .is_float64 = true}};

class Safetensors : public testing::Test {
 protected:
  std::vector<NamedTensor> read(const std::string& bytes) {
    test::write_bytes(path_, bytes);
    return read_safetensors(path_);
  }
  std::string refusal(const std::string& bytes) {
    return test::message_of<DataError>([&] { read(bytes); });
  }
  test::TemporaryDirectory folder_;
  std::string path_ = folder_.file("model.safetensors");
};

TEST_F(Safetensors, gives_back_what_was_written) {
  write_safetensors(path_, kTensors, {{"format", "kantor"}});
  const auto tensors = read_safetensors(path_);
  ASSERT_EQ(tensors.size(), kTensors.size());
  for (const NamedTensor& expected : kTensors) {
    const auto found = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const auto& t) { return t.name == expected.name; });
    ASSERT_NE(found, tensors.end()) << expected.name;
    EXPECT_EQ(found->shape, expected.shape);
    EXPECT_EQ(found->values, expected.values);
    EXPECT_EQ(found->is_float64, expected.is_float64);
  }
}

TEST_F(Safetensors, writes_the_published_layout) {
  write_safetensors(path_, {{.name = "x", .shape = {2}, .values = {1, 2}, .is_float64 = false}},
                    {{"a", "b"}});
  const std::string header =
      R"({"__metadata__":{"a":"b"},"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})";
  const std::string padding((8 - header.size() % 8) % 8, ' ');
  EXPECT_EQ(test::read_bytes(path_), file_of(header + padding, raw(std::vector<float>{1, 2})));
}

TEST_F(Safetensors, reads_tensors_in_any_order_and_skips_other_types) {
  const auto tensors =
      read(file_of(R"({"b":{"dtype":"F64","shape":[1],"data_offsets":[10,18]},)"
                   R"("h":{"dtype":"F16","shape":[1],"data_offsets":[8,10]},)"
                   R"("a":{"shape":[2,1],"data_offsets":[0,8],"dtype":"F32"}})",
                   raw(std::vector<float>{1, 2}) + "hh" + raw(std::vector<double>{3})));
  ASSERT_EQ(tensors.size(), 2u);
  EXPECT_EQ(tensors[0].name, "a");
  EXPECT_THAT(tensors[0].values, ElementsAre(1, 2));
  EXPECT_THAT(tensors[1].values, ElementsAre(3));
}

TEST_F(Safetensors, reads_a_file_of_no_tensors) { EXPECT_TRUE(read(file_of("{}", "")).empty()); }

TEST_F(Safetensors, opens_a_tensor_as_rows) {
  write_safetensors(path_, kTensors, {});
  const auto source = open_safetensors(path_, "layer.0.weight");
  EXPECT_EQ(source->num_rows(), 2);
  EXPECT_EQ(source->num_dims(), 3);
  EXPECT_THAT(test::values_of(*source, {1}), ElementsAre(4, 5, 0.1));
  EXPECT_EQ(open_safetensors(path_, "bias \"q\"")->num_dims(), 1);
}

TEST_F(Safetensors, needs_no_key_where_there_is_one_tensor) {
  write_safetensors(path_, {kTensors[0]}, {});
  EXPECT_EQ(open_safetensors(path_, "")->num_dims(), 3);
}

TEST_F(Safetensors, tells_of_every_tensor_whatever_its_type) {
  test::write_bytes(path_, file_of(R"({"__metadata__":{"a":"b"},)"
                                   R"("h":{"dtype":"BF16","shape":[2,1],"data_offsets":[8,12]},)"
                                   R"("x":{"dtype":"F64","shape":[],"data_offsets":[0,8]}})",
                                   raw(std::vector<double>{3}) + "hhhh"));
  const auto outlines = read_safetensors_header(DataFile(path_)).tensors;
  ASSERT_EQ(outlines.size(), 2u);
  EXPECT_EQ(outlines[0].name, "h");
  EXPECT_EQ(outlines[0].dtype, "BF16");
  EXPECT_THAT(outlines[0].shape, ElementsAre(2, 1));
  EXPECT_EQ(outlines[0].num_bytes(), 4);
  EXPECT_EQ(outlines[1].name, "x");
  test::write_bytes(path_, "short");
  EXPECT_THROW(read_safetensors_header(DataFile(path_)), DataError);
}

// Bad input.

TEST_F(Safetensors, asks_for_a_key_where_there_are_several_tensors) {
  write_safetensors(path_, kTensors, {});
  EXPECT_THAT(test::message_of<ConfigError>([&] { open_safetensors(path_, ""); }),
              HasSubstr("layer.0.weight"));
  EXPECT_THAT(test::message_of<ConfigError>([&] { open_safetensors(path_, "wrong"); }),
              HasSubstr("wrong"));
}

TEST_F(Safetensors, refuses_tensors_that_are_no_points) {
  write_safetensors(path_, kTensors, {});
  EXPECT_THROW(open_safetensors(path_, "scalar"), DataError);
  EXPECT_THROW(open_safetensors(path_, "none"), DataError);
  test::write_bytes(path_,
                    file_of(R"({"i":{"dtype":"I32","shape":[1,1],"data_offsets":[0,4]}})", "1234"));
  EXPECT_THAT(test::message_of<DataError>([&] { open_safetensors(path_, "i"); }), HasSubstr("I32"));
}

TEST_F(Safetensors, refuses_every_truncation_and_surplus) {
  write_safetensors(path_, kTensors, {{"format", "kantor"}});
  const std::string bytes = test::read_bytes(path_);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(read(bytes.substr(0, size)), DataError) << size;
  }
  EXPECT_THAT(refusal(bytes + "x"), HasSubstr("too long"));
}

TEST_F(Safetensors, survives_any_single_wrong_header_byte) {
  write_safetensors(path_, kTensors, {{"format", "kantor"}});
  const std::string bytes = test::read_bytes(path_);
  const std::size_t data_bytes = 6 * 8 + 2 * 4 + 8;
  for (std::size_t at = 0; at < bytes.size() - data_bytes; ++at) {
    for (int value = 0; value < 256; value += 17) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(value);
      try {
        read(damaged);  // a changed letter of a name is harmless
      } catch (const DataError&) {
      }
    }
  }
}

TEST_F(Safetensors, refuses_a_header_longer_than_the_file_or_the_limit) {
  EXPECT_THAT(refusal(raw(std::vector<std::uint64_t>{~std::uint64_t{0}}) + "{}"),
              HasSubstr("18446744073709551615"));
  EXPECT_THAT(refusal(raw(std::vector<std::uint64_t>{std::uint64_t{1} << 63}) + "{}"),
              HasSubstr("9223372036854775808"));
  EXPECT_THAT(refusal(raw(std::vector<std::uint64_t>{100'000'001}) + "{}"), HasSubstr("100000001"));
  EXPECT_THAT(refusal(raw(std::vector<std::uint64_t>{3}) + "{}"), HasSubstr("truncated"));
}

TEST_F(Safetensors, refuses_headers_that_are_not_the_expected_json) {
  for (const std::string header :
       {"", "[]", "1", "{", "{'a': 1}", "{\"a\":1}", "{\"a\":{}}",
        R"({"a":{"dtype":"F32","shape":[1]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1}})",
        R"({"a":{"dtype":7,"shape":[1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,2,4]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551616]}})"}) {
    EXPECT_THROW(read(file_of(header, "1234")), DataError) << header;
  }
}

TEST_F(Safetensors, refuses_a_type_that_lies_about_the_bytes) {
  for (const char* dtype : {"F64", "F16", "BOOL", "I64", "C64"}) {
    EXPECT_THROW(
        read(file_of(concat(R"({"a":{"dtype":")", dtype, R"(","shape":[1],"data_offsets":[0,4]}})"),
                     "1234")),
        DataError)
        << dtype;
  }
}

TEST_F(Safetensors, refuses_holes_and_overlaps) {
  const std::string a = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},)";
  EXPECT_THAT(
      refusal(file_of(a + R"("b":{"dtype":"F32","shape":[1],"data_offsets":[5,9]}})", "123456789")),
      HasSubstr("expected 4"));
  EXPECT_THAT(
      refusal(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", "12345678")),
      HasSubstr("expected 0"));
  EXPECT_THAT(refusal(file_of(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":)"
                              R"([9223372036854775803,9223372036854775807]}})",
                              "1234")),
              HasSubstr("expected 0"));
  EXPECT_THROW(
      read(file_of(a + R"("b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", "1234")),
      DataError);
  EXPECT_THROW(
      read(file_of(a + R"("b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}})", "123456")),
      DataError);
}

TEST_F(Safetensors, refuses_a_name_given_twice) {
  const std::string entry = R"("a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})";
  EXPECT_THAT(refusal(file_of("{" + entry + "," + entry + "}", "1234")), HasSubstr("twice"));
  EXPECT_THAT(refusal(file_of(R"({"a":{"dtype":"F64","dtype":"F32","shape":[1],)"
                              R"("data_offsets":[0,4]}})",
                              "1234")),
              HasSubstr("twice"));
}

TEST_F(Safetensors, refuses_products_that_overflow) {
  EXPECT_THROW(read(file_of(R"({"a":{"dtype":"F64","shape":[4294967296,4294967296],)"
                            R"("data_offsets":[0,0]}})",
                            "")),
               DataError);
  EXPECT_THROW(read(file_of(R"({"a":{"dtype":"F64","shape":[2305843009213693952],)"
                            R"("data_offsets":[0,0]}})",
                            "")),
               DataError);
}

TEST_F(Safetensors, keeps_messages_to_one_line_whatever_the_names) {
  const std::string header = R"({"a\nb":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})";
  EXPECT_EQ(refusal(file_of(header, "1234")).find('\n'), std::string::npos);
}

TEST_F(Safetensors, refuses_deep_nesting) {
  EXPECT_THROW(read(file_of(std::string(1000000, '['), "")), DataError);
  const std::string tensor = R"({"a":{"dtype":"F32","shape":)";
  EXPECT_THAT(refusal(file_of(tensor + std::string(1000000, '['), "")), HasSubstr("nested"));
  std::string objects = R"({"a":{"dtype":)";
  for (int i = 0; i < 100000; ++i) objects += R"({"a":)";
  EXPECT_THAT(refusal(file_of(objects, "")), HasSubstr("nested"));
}

TEST_F(Safetensors, opens_a_tensor_beside_types_that_it_does_not_know) {
  for (const char* dtype : {"F8_E8M0", "F4", "F6_E2M3", "C64", "", "F32 "}) {
    test::write_bytes(path_,
                      file_of(concat(R"({"x":{"dtype":"F64","shape":[2,1],"data_offsets":[0,16]},)"
                                     R"("z":{"dtype":")",
                                     dtype, R"(","shape":[1],"data_offsets":[16,24]}})"),
                              raw(std::vector<double>{3, 4}) + "zzzzzzzz"));
    if (std::string(dtype) == "F8_E8M0") {  // known, and of one byte
      EXPECT_THROW(open_safetensors(path_, "x"), DataError);
      continue;
    }
    EXPECT_THAT(test::values_of(*open_safetensors(path_, "x")), ElementsAre(3, 4)) << dtype;
    EXPECT_THROW(open_safetensors(path_, "z"), DataError) << dtype;
    EXPECT_EQ(read_safetensors_header(DataFile(path_)).tensors.size(), 2u) << dtype;
    EXPECT_EQ(read_safetensors(path_).size(), 1u) << dtype;
  }
}

TEST_F(Safetensors, refuses_a_zero_byte_in_the_header) {
  const std::string header = R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})";
  EXPECT_THAT(refusal(file_of(header + std::string("\0{", 2), "1234")), HasSubstr("zero byte"));
  EXPECT_THAT(refusal(file_of(header + '\0', "1234")), HasSubstr("zero byte"));
}

TEST_F(Safetensors, takes_as_many_tensors_as_the_limit_and_none_more) {
  // In quadratic time this would not end.
  std::string header;
  for (std::size_t i = 0; i < SafetensorsHeader::kMostTensors; ++i) {
    header += concat(i == 0 ? '{' : ',', R"("t)", i,
                     R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})");
  }
  EXPECT_TRUE(read(file_of(header + "}", "")).empty());
  EXPECT_THAT(refusal(file_of(header + R"(,"one more":{)", "")), HasSubstr("more than 262144"));
}

TEST_F(Safetensors, takes_as_many_dimensions_as_the_limit_and_none_more) {
  const auto file_with = [](std::size_t num_dimensions) {
    std::string shape = "1";
    for (std::size_t i = 1; i < num_dimensions; ++i) shape += ",1";
    return file_of(R"({"a":{"dtype":"F32","shape":[)" + shape + R"(],"data_offsets":[0,4]}})",
                   "1234");
  };
  EXPECT_EQ(read(file_with(SafetensorsHeader::kMostDimensions)).size(), 1u);
  EXPECT_THAT(refusal(file_with(SafetensorsHeader::kMostDimensions + 1)), HasSubstr("too many"));
}

TEST_F(Safetensors, says_what_another_file_of_that_name_is) {
  const auto page = refusal("<!DOCTYPE html>\n<html>");
  EXPECT_THAT(page, testing::AllOf(HasSubstr("web page"), testing::Not(HasSubstr("bytes"))));
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:4d\n"),
              HasSubstr("git lfs pull"));
  EXPECT_THAT(refusal("PK\x03\x04 and more bytes"), HasSubstr("zip"));
  EXPECT_THAT(refusal("\x93NUMPY and more bytes"), HasSubstr(".npy file"));
}

TEST_F(Safetensors, keeps_messages_short_however_long_the_names_are) {
  const std::string name(1000000, 'n');
  const std::string header =
      "{\"" + name + R"(":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})";
  EXPECT_LT(refusal(file_of(header, "1234")).size(), path_.size() + 300);
}

TEST_F(Safetensors, refuses_to_write_what_does_not_fit) {
  EXPECT_THROW(write_safetensors(path_, {kTensors[0], kTensors[0]}, {}), NumericError);
  NamedTensor wrong = kTensors[0];
  wrong.shape = {7};
  EXPECT_THROW(write_safetensors(path_, {wrong}, {}), NumericError);
  EXPECT_FALSE(std::filesystem::exists(path_));
}

TEST_F(Safetensors, reports_a_full_disk_and_a_missing_folder) {
  EXPECT_THROW(write_safetensors("/dev/full", kTensors, {}), IoError);
  EXPECT_THROW(write_safetensors(folder_.file("missing/x"), kTensors, {}), IoError);
}

}  // namespace
}  // namespace kantor::data
