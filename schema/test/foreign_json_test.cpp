#include <gtest/gtest.h>

#include "schema/json/canonical.hpp"
#include "schema/json/foreign.hpp"

namespace causeway::json {
namespace {

std::string nested(std::size_t depth, const std::string& inside = "") {
  return std::string(depth, '[') + inside + std::string(depth, ']');
}

TEST(ForeignJson, canonical_text_is_what_canonical_json_is_where_that_is_defined) {
  for (const char* text :
       {"{}", "[]", "null", "true", "\"\\u00e9\\n\\u0001\"", "-0",
        R"({"b":[1,{"z":{},"a":[]},"x"],"a":{"é":null,"c":false}})",
        R"( { "b" : 1 , "a" : [ 1 , 2 , [ ] , { "y" : 1, "x" : { "q" : 2, "p" : 3 } } ] , "" : "" } )"}) {
    ASSERT_TRUE(canonical_text(text)) << text;
    if (std::string_view(text) == "-0") continue;
    EXPECT_EQ(*canonical_text(text), canonical(parse(text).value())) << text;
  }
}

// An object with its members the wrong way round, in itself at both ends, `depth` times.
std::string turned(std::size_t depth) {
  if (depth == 0) return "1";
  return "{\"c\":" + turned(depth - 1) + ",\"b\":[{\"y\":2,\"x\":3}],\"c\":" + turned(depth - 1) + ",\"a\":0}";
}
std::string ordered(std::size_t depth) {
  if (depth == 0) return "1";
  return "{\"a\":0,\"b\":[{\"x\":3,\"y\":2}],\"c\":" + ordered(depth - 1) + "}";
}

TEST(ForeignJson, canonical_text_orders_objects_within_objects) {
  for (std::size_t depth = 0; depth <= 10; ++depth)
    EXPECT_EQ(canonical_text(turned(depth)), ordered(depth));
  std::string deep = "1", deep_ordered = "1";
  for (std::size_t i = 0; i < max_foreign_depth; ++i) {
    deep = "{\"b\":" + deep + ",\"a\":0}";
    deep_ordered = "{\"a\":0,\"b\":" + deep_ordered + "}";
  }
  EXPECT_EQ(canonical_text(deep), deep_ordered);
}

TEST(ForeignJson, canonical_text_leaves_numbers_as_they_are_written) {
  EXPECT_EQ(canonical_text("{\"b\":1.50,\"a\":100000000000000000000000000000,\"c\":-1E+300}"),
            "{\"a\":100000000000000000000000000000,\"b\":1.50,\"c\":-1E+300}");
}

TEST(ForeignJson, canonical_text_takes_the_last_of_equal_keys) {
  EXPECT_EQ(canonical_text(R"({"b":0,"a":1,"a":{"x":2},"b":3})"), R"({"a":{"x":2},"b":3})");
}

TEST(ForeignJson, canonical_text_of_what_is_not_json_or_too_deep_is_nothing) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":}", "{} {}", "nul", "\"\xff\"", "01"})
    EXPECT_FALSE(canonical_text(text)) << text;
  EXPECT_EQ(canonical_text(nested(max_foreign_depth)), nested(max_foreign_depth));
  EXPECT_FALSE(canonical_text(nested(max_foreign_depth + 1)));
}

TEST(ForeignJson, only_what_is_too_deep_becomes_null) {
  const std::string deepest = nested(max_depth - 1, "1");
  const std::string deeper = nested(max_depth, "\"]\\\"[\"");
  const auto parsed = parse_foreign_object("{\"a\":" + deepest + ",\"b\":" + deeper + ",\"c\":\"[{\"}");
  ASSERT_TRUE(parsed) << parsed.error().message;
  EXPECT_EQ(boost::json::serialize(parsed->at("a")), deepest);
  EXPECT_EQ(boost::json::serialize(parsed->at("b")), nested(max_depth - 1, "null"));
  EXPECT_EQ(parsed->at("c"), "[{");
}

TEST(ForeignJson, what_is_no_object_or_not_json_is_refused_as_ever) {
  EXPECT_EQ(parse_foreign_object("[]").error().code, ErrorCode::bad_json);
  EXPECT_EQ(parse_foreign_object("{").error().code, ErrorCode::not_json);
  EXPECT_EQ(parse_foreign_object(nested(max_foreign_depth + 1)).error().code, ErrorCode::bad_json);
  EXPECT_FALSE(parse_foreign_object("{\"a\":" + nested(max_depth + 5, "x") + "}"));
}

}  // namespace
}  // namespace causeway::json
