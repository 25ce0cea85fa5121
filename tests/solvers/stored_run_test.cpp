#include "solvers/stored_run.hpp"

#include <gtest/gtest.h>

#include <cmath>

namespace kantor {
namespace {

constexpr const char* kLeast = R"({"schema": 1, "kind": "eot", "solver": "magic", "cost": "dot",
  "epsilon": 0.5, "n": [3, 4], "d": [2, 2], "world_size": 2, "backend": "mpi", "device": "cpu",
  "precision": "float64", "iterations": 7, "seconds": {"total": 1.5}})";

TEST(StoredResult, needs_neither_value_nor_bound) {
  const auto result = parse_result(kLeast);
  ASSERT_TRUE(result.has_value());
  EXPECT_FALSE(result->find_as<double>("dual_value").has_value());
  EXPECT_FALSE(result->find_as<double>("objective").has_value());
  EXPECT_EQ(result->get<std::string>("solver"), "magic");
}

TEST(StoredResult, may_hold_null_as_older_versions_wrote_it) {
  Record record = Record::parse(kLeast);
  record.set("transport_cost", std::nan(""));
  const auto result = parse_result(record.json());
  ASSERT_TRUE(result.has_value());
  EXPECT_TRUE(std::isnan(result->number("transport_cost")));
}

TEST(StoredResult, is_none_when_the_text_is_something_else) {
  const std::string whole = kLeast;
  for (const std::string& text :
       {std::string(), std::string("{}"), std::string("[1]"), std::string("nonsense"),
        whole.substr(0, whole.size() / 2), std::string("{\"kind\": 3}")}) {
    EXPECT_FALSE(parse_result(text).has_value()) << text;
  }
  for (const auto& [name, value] : {std::pair<const char*, Record::Value>{"kind", 3},
                                    {"n", "many"},
                                    {"objective", "small"},
                                    {"dual_value", std::vector<double>{1}},
                                    {"converged", "yes"},
                                    {"reference", 1.0},
                                    {"checksums", true}}) {
    Record record = Record::parse(whole);
    record.set(name, value);
    EXPECT_FALSE(parse_result(record.json()).has_value()) << name;
  }
}

}  // namespace
}  // namespace kantor
