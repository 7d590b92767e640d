#include "client-api/request_fields.hpp"

#include <gtest/gtest.h>

namespace causeway::client_api {
namespace {

http::Request request_of(std::vector<std::string> path, std::multimap<std::string, std::string> query = {},
                         std::string body = {}) {
  http::Request request;
  request.path_parameters = std::move(path);
  request.query = std::move(query);
  request.body = std::move(body);
  request.requester.emplace();
  request.requester->user = UserId::trusted("@me:here");
  return request;
}

TEST(RequestFields, reads_path_query_and_body) {
  const auto request = request_of({"!r:here", "$e:here", "@me:here", "#a:here"},
                                  {{"limit", "7"}, {"full_state", "true"}, {"timeout", "30000"}}, R"({"reason":"so"})");
  RequestFields fields(request);
  EXPECT_EQ(fields.room_id().str(), "!r:here");
  EXPECT_EQ(fields.event_id(1).str(), "$e:here");
  fields.own_user(2);
  EXPECT_EQ(fields.room_alias(3).str(), "#a:here");
  EXPECT_EQ(fields.limit(10, 100), 7u);
  EXPECT_EQ(fields.limit(10, 5), 5u);
  EXPECT_TRUE(fields.query_flag("full_state"));
  EXPECT_FALSE(fields.query_flag("other"));
  EXPECT_EQ(fields.timeout(), std::chrono::seconds(30));
  EXPECT_EQ(fields.place("from"), std::nullopt);
  fields.read_body();
  EXPECT_EQ(fields.optional_string("reason"), "so");
  EXPECT_FALSE(fields.error());
}

TEST(RequestFields, the_first_that_is_wrong_is_the_error) {
  const auto request = request_of({"no room"}, {{"limit", "many"}}, "no JSON");
  RequestFields path_first(request);
  path_first.room_id();
  path_first.limit(10, 100);
  path_first.read_body();
  EXPECT_EQ(path_first.error()->message, "This is not a room ID.");
  RequestFields body_first(request);
  body_first.read_body();
  body_first.room_id();
  EXPECT_EQ(body_first.required_string("name"), "");
  EXPECT_EQ(body_first.error()->code, ErrorCode::not_json);
}

TEST(RequestFields, an_empty_body_is_an_object_only_where_that_is_said) {
  const auto request = request_of({});
  RequestFields wrong(request), right(request);
  wrong.read_body();
  right.read_body(EmptyBody::is_empty_object);
  EXPECT_EQ(wrong.error()->code, ErrorCode::not_json);
  EXPECT_FALSE(right.error());
}

TEST(RequestFields, another_user_s_path_is_forbidden) {
  const auto request = request_of({"@you:here"});
  RequestFields fields(request);
  fields.own_user();
  EXPECT_EQ(fields.error()->code, ErrorCode::forbidden);
}

}  // namespace
}  // namespace causeway::client_api
