#include "schema/json/object_reader.hpp"

#include <gtest/gtest.h>

#include "schema/matrix/ids.hpp"

namespace causeway::json {
namespace {

ObjectReader reading(std::string_view text) {
  return ObjectReader(parse_object(text).value());
}

TEST(ObjectReader, reads_members_with_their_types) {
  auto body = reading(R"({"name":"n","on":true,"count":7,"of":{"a":1},"list":[1],"user":"@a:b"})");
  EXPECT_EQ(body.required_string("name"), "n");
  EXPECT_EQ(body.optional_string("topic"), std::nullopt);
  EXPECT_EQ(body.optional_bool("on"), true);
  EXPECT_EQ(body.optional_int("count"), 7);
  EXPECT_EQ(body.optional_object("of")->size(), 1u);
  EXPECT_EQ(body.optional_array("list")->size(), 1u);
  EXPECT_EQ(body.optional_array("absent"), nullptr);
  EXPECT_EQ(body.required_id<UserId>("user", "a user ID").str(), "@a:b");
  EXPECT_EQ(body.optional_id<UserId>("other", "a user ID"), std::nullopt);
  EXPECT_FALSE(body.error());
}

TEST(ObjectReader, keeps_the_first_error_and_reads_nothing_for_it) {
  auto body = reading(R"({"name":7,"on":"yes"})");
  EXPECT_EQ(body.required_string("name"), "");
  EXPECT_EQ(body.optional_bool("on"), std::nullopt);
  body.fail(make_error(ErrorCode::forbidden, "later"));
  EXPECT_EQ(body.keep(Result<int>(make_error(ErrorCode::forbidden, "later still"))), 0);
  ASSERT_TRUE(body.error());
  EXPECT_EQ(body.error()->code, ErrorCode::bad_json);
  EXPECT_EQ(body.error()->message, "The member 'name' must be a string.");
}

TEST(ObjectReader, tells_a_missing_identifier_from_a_string_that_is_none) {
  auto missing = reading("{}");
  missing.required_id<UserId>("user_id", "a user ID");
  EXPECT_EQ(missing.error()->code, ErrorCode::missing_param);
  for (const char* read : {"required", "optional"}) {
    auto wrong = reading(R"({"user_id":"nobody"})");
    if (std::string_view(read) == "required")
      wrong.required_id<UserId>("user_id", "a user ID");
    else
      wrong.optional_id<UserId>("user_id", "a user ID");
    ASSERT_TRUE(wrong.error()) << read;
    EXPECT_EQ(wrong.error()->code, ErrorCode::invalid_param);
    EXPECT_EQ(wrong.error()->message, "'user_id' must be a user ID.");
  }
}

}  // namespace
}  // namespace causeway::json
