#include "runtime/data/npy.hpp"

#include <gmock/gmock.h>

#include "runtime/data/data_file.hpp"
#include "runtime/data/marginal.hpp"
#include "tests/runtime/data/files.hpp"
#include "tests/support/temporary_directory.hpp"

namespace kantor::data {
namespace {

using test::npy_dictionary;
using test::npy_file;
using test::raw;
using testing::ElementsAre;
using testing::HasSubstr;

const std::vector<double> kSix = {1.5, -2, 3, 4, 5.25, 6};

class Npy : public testing::Test {
 protected:
  std::shared_ptr<const RowSource> open(const std::string& bytes) {
    test::write_bytes(path_, bytes);
    return open_npy(path_);
  }
  std::string refusal(const std::string& bytes) {
    return test::message_of<DataError>([&] { open(bytes); });
  }
  test::TemporaryDirectory folder_;
  std::string path_ = folder_.file("x.npy");
};

TEST_F(Npy, reads_float64_in_c_order) {
  const auto source = open(npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix)));
  EXPECT_EQ(source->num_rows(), 3);
  EXPECT_EQ(source->num_dims(), 2);
  EXPECT_EQ(test::values_of(*source), kSix);
  EXPECT_THAT(test::values_of<float>(*source), ElementsAre(1.5f, -2, 3, 4, 5.25f, 6));
}

TEST_F(Npy, reads_float32_exactly_in_both_types) {
  const std::vector<float> values = {0.1f, -2.5f, 1e30f, 4e-30f};
  const auto source = open(npy_file(npy_dictionary("<f4", "(2, 2)"), raw(values)));
  EXPECT_EQ(test::values_of<float>(*source), values);
  EXPECT_EQ(test::values_of(*source), std::vector<double>(values.begin(), values.end()));
}

TEST_F(Npy, reads_fortran_order) {
  // x = [[1.5, -2], [3, 4], [5.25, 6]] by columns.
  const std::vector<double> columns = {1.5, 3, 5.25, -2, 4, 6};
  const auto source = open(npy_file(npy_dictionary("<f8", "(3, 2)", true), raw(columns)));
  EXPECT_EQ(test::values_of(*source), kSix);
  EXPECT_THAT(test::values_of(*source, {2, 0}), ElementsAre(5.25, 6, 1.5, -2));
}

TEST_F(Npy, gathers_any_rows_with_repeats) {
  const auto source = open(npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix)));
  EXPECT_THAT(test::values_of(*source, {2, 2, 0}), ElementsAre(5.25, 6, 5.25, 6, 1.5, -2));
  EXPECT_TRUE(test::values_of(*source, {}).empty());
}

TEST_F(Npy, refuses_a_row_out_of_range) {
  const auto source = open(npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix)));
  double values[2];
  EXPECT_THROW(source->read(std::vector<std::int64_t>{3}, values), NumericError);
  EXPECT_THROW(source->read(std::vector<std::int64_t>{-1}, values), NumericError);
}

TEST_F(Npy, reads_one_dimension_as_one_column) {
  const auto source = open(npy_file(npy_dictionary("<f8", "(6,)"), raw(kSix)));
  EXPECT_EQ(source->num_rows(), 6);
  EXPECT_EQ(source->num_dims(), 1);
  EXPECT_EQ(test::values_of(*source), kSix);
}

TEST_F(Npy, reads_versions_two_and_three) {
  for (const int major : {2, 3}) {
    const auto source = open(npy_file(npy_dictionary("<f8", "(2, 3)"), raw(kSix), major));
    EXPECT_EQ(test::values_of(*source), kSix);
  }
}

TEST_F(Npy, reads_dictionaries_as_any_writer_spells_them) {
  const std::vector<std::string> dictionaries = {
      "{\"shape\": (3,2), \"fortran_order\":False,\"descr\":\"<f8\"}",
      "{'shape': (3L, 2L), 'descr': '<f8', 'fortran_order': False, }",
      "  {  'fortran_order' : False ,  'descr' : '<f8' , 'shape' : ( 3 , 2 , ) }      ",
      "{'descr': '=f8', 'fortran_order': False, 'shape': (3, 2)}"};
  for (const std::string& dictionary : dictionaries) {
    EXPECT_EQ(test::values_of(*open(npy_file(dictionary, raw(kSix)))), kSix) << dictionary;
  }
}

TEST_F(Npy, reads_data_at_an_odd_offset) {
  for (const std::string padding : {"", " ", "  ", "   "}) {
    const auto source = open(npy_file(npy_dictionary("<f8", "(3, 2)") + padding, raw(kSix)));
    EXPECT_EQ(test::values_of(*source), kSix);
  }
}

TEST_F(Npy, header_tells_what_the_file_holds) {
  test::write_bytes(path_,
                    npy_file(npy_dictionary("<i4", "(2, 1, 3)", true), raw(kSix).substr(24)));
  const NpyHeader header = read_npy_header(DataFile(path_));
  EXPECT_EQ(header.descr, "<i4");
  EXPECT_TRUE(header.fortran_order);
  EXPECT_THAT(header.shape, ElementsAre(2, 1, 3));
}

TEST_F(Npy, keeps_the_file_after_its_name_is_gone) {
  const auto source = open(npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix)));
  std::filesystem::remove(path_);
  EXPECT_EQ(test::values_of(*source), kSix);
}

// Bad input.

TEST_F(Npy, refuses_a_missing_file_a_folder_and_an_empty_file) {
  const std::string missing = folder_.file("missing.npy");
  EXPECT_THAT(test::message_of<DataError>([&] { open_npy(missing); }), HasSubstr(missing));
  const std::string folder = folder_.path().string();
  EXPECT_THAT(test::message_of<DataError>([&] { open_npy(folder); }), HasSubstr("folder"));
  EXPECT_THAT(refusal(""), HasSubstr("empty"));
}

TEST_F(Npy, refuses_what_does_not_start_with_the_magic_word) {
  EXPECT_THAT(refusal("PK\x03\x04 an archive"),
              testing::AllOf(HasSubstr("x.npy"), HasSubstr(".npz"), HasSubstr("numpy.save")));
  EXPECT_THAT(refusal(" \n<!doctype HTML>"), HasSubstr("web page"));
  EXPECT_THAT(refusal("<HTML><body>"), HasSubstr("web page"));
  EXPECT_THAT(refusal("version https://git-lfs.github.com/spec/v1\n"), HasSubstr("git lfs pull"));
  EXPECT_THAT(refusal(std::string("\x02\0\0\0\0\0\0\0{}", 10)), HasSubstr(".safetensors"));
  EXPECT_THAT(refusal("1.5, 2.5\n"), HasSubstr("numpy.loadtxt"));
}

TEST_F(Npy, refuses_versions_it_does_not_know) {
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix), 4)), HasSubstr("4.0"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix), 0)), HasSubstr("0.0"));
}

TEST_F(Npy, refuses_every_truncation) {
  const std::string bytes = npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix));
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(open(bytes.substr(0, size)), DataError) << size;
  }
  const std::string second = npy_file(npy_dictionary("<f4", "(12,)", true), raw(kSix), 2);
  for (std::size_t size = 0; size < second.size(); ++size) {
    EXPECT_THROW(open(second.substr(0, size)), DataError) << size;
  }
}

TEST_F(Npy, refuses_bytes_beyond_the_data) {
  const std::string message = refusal(npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix) + "x"));
  EXPECT_THAT(message, HasSubstr("48"));
  EXPECT_THAT(message, HasSubstr("49"));
}

TEST_F(Npy, survives_any_single_wrong_header_byte) {
  const std::string bytes = npy_file(npy_dictionary("<f8", "(3, 2)"), raw(kSix));
  for (std::size_t at = 0; at < bytes.size() - raw(kSix).size(); ++at) {
    for (int value = 0; value < 256; value += 5) {
      std::string damaged = bytes;
      damaged[at] = static_cast<char>(value);
      try {
        test::values_of(*open(damaged));  // a changed space may be harmless
      } catch (const DataError&) {
      }
    }
  }
}

TEST_F(Npy, refuses_objects_records_and_big_endian_numbers_naming_the_remedy) {
  EXPECT_THAT(refusal(npy_file(npy_dictionary("|O", "(1,)"), "12345678")), HasSubstr("objects"));
  EXPECT_THAT(refusal(npy_file("{'descr': [('x', '<f8')], 'fortran_order': False, 'shape': (1,)}",
                               "12345678")),
              HasSubstr("records"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary(">f8", "(3, 2)"), raw(kSix))),
              HasSubstr("big-endian"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<U1", "(2,)"), "12345678")), HasSubstr("float32"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("|V2", "(4,)"), "12345678")), HasSubstr("bfloat16"));
}

TEST_F(Npy, refuses_whole_half_and_complex_numbers_naming_the_remedy) {
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<i8", "(3, 2)"), raw(kSix))),
              HasSubstr("astype(numpy.float32)"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("|u1", "(4, 2)"), "12345678")),
              HasSubstr("astype(numpy.float32)"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<f2", "(2, 2)"), "12345678")), HasSubstr("<f2"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<c16", "(3,)"), raw(kSix))), HasSubstr("real"));
}

TEST_F(Npy, refuses_shapes_that_are_no_table_of_points) {
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<f8", "(1, 3, 2)"), raw(kSix))),
              HasSubstr("(1, 3, 2)"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<f8", "()"), "12345678")), HasSubstr("()"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<f8", "(0, 3)"), "")), HasSubstr("(0, 3)"));
  EXPECT_THAT(refusal(npy_file(npy_dictionary("<f8", "(3, 0)"), "")), HasSubstr("one column"));
}

TEST_F(Npy, refuses_sizes_that_overflow) {
  for (const std::string shape :
       {"(4294967296, 4294967296)", "(9223372036854775807, 2)", "(99999999999999999999, 1)",
        "(2305843009213693952,)", "(-3, 2)"}) {
    EXPECT_THROW(open(npy_file(npy_dictionary("<f8", shape), raw(kSix))), DataError) << shape;
  }
}

TEST_F(Npy, refuses_damaged_dictionaries) {
  for (const std::string dictionary :
       {"", "{", "{}", "[1, 2]", "{'descr': '<f8', 'fortran_order': False}",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (3, 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': 6}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2)} x",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3 2)}",
        "{'descr': '<f8' 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f8', 'descr': '<f8', 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 2), 'more': 1}",
        "{'descr': '<f8, 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '', 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f', 'fortran_order': False, 'shape': (3, 2)}",
        "{'des\ncr': '<f8', 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f0', 'fortran_order': False, 'shape': (3, 2)}",
        "{'descr': '<f16', 'fortran_order': False, 'shape': (3,)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (,)}"}) {
    EXPECT_THROW(open(npy_file(dictionary, raw(kSix))), DataError) << dictionary;
  }
}

}  // namespace
}  // namespace kantor::data
