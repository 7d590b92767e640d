#include <gmock/gmock.h>

#include "homeserver/http/endpoint.hpp"
#include "homeserver/http/uri.hpp"

namespace causeway::http {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Route route(Verb verb, std::string_view path, std::string_view operation_id) {
  return Route{verb, std::string(path), operation_id, Auth::none, RateClass::unlimited, kib, nullptr};
}

class RouterTest : public testing::Test {
 protected:
  RouterTest() {
    router.add(route(Verb::get, "/_matrix/client/v3/sync", "sync"));
    router.add(route(Verb::get, "/_matrix/client/v3/rooms/{roomId}/state", "get_room_state"));
    router.add(route(Verb::get, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}", "get_state_no_key"));
    router.add(route(Verb::put, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", "set_room_state"));
    router.add(route(Verb::get, "/_matrix/client/v3/rooms/{roomId}/state/{eventType}/{stateKey}", "get_state"));
    router.add(route(Verb::put, "/_matrix/client/v3/directory/room/{roomAlias}", "set_room_alias"));
    router.add(route(Verb::get, "/_matrix/client/v3/pushrules/", "get_push_rules"));
    router.add(route(Verb::get, "/_matrix/client/v3/pushrules/global/", "get_push_rules_global"));
    router.add(route(Verb::get, "/a/fixed/x", "fixed_x"));
    router.add(route(Verb::post, "/a/fixed/y", "fixed_y"));
    router.add(route(Verb::get, "/a/{any}/y", "any_y"));
  }
  std::string operation(Verb verb, std::string_view path) {
    const auto match = router.match(verb, path);
    return match.route ? std::string(match.route->operation_id) : match.path_known ? "405" : "404";
  }
  Router router;
};

TEST_F(RouterTest, placeholders_take_one_decoded_segment_each) {
  const auto match = router.match(Verb::put, "/_matrix/client/v3/rooms/!a:b/state/m.room.name/k%20e%C3%BCy");
  ASSERT_TRUE(match.route);
  EXPECT_EQ(match.route->operation_id, "set_room_state");
  EXPECT_THAT(match.parameters, ElementsAre("!a:b", "m.room.name", "k eüy"));
}

TEST_F(RouterTest, encoded_slash_does_not_split) {
  const auto match = router.match(Verb::put, "/_matrix/client/v3/directory/room/%23a%2Fb%3Ahost");
  ASSERT_TRUE(match.route);
  EXPECT_THAT(match.parameters, ElementsAre("#a/b:host"));
}

TEST_F(RouterTest, fixed_wins_over_placeholder_but_not_over_the_verb) {
  EXPECT_EQ(operation(Verb::get, "/a/fixed/x"), "fixed_x");
  EXPECT_EQ(operation(Verb::post, "/a/fixed/y"), "fixed_y");
  EXPECT_EQ(operation(Verb::get, "/a/fixed/y"), "any_y");
  EXPECT_EQ(operation(Verb::get, "/a/other/x"), "404");
}

TEST_F(RouterTest, trailing_slash_is_an_empty_state_key_and_part_of_the_pushrules_path) {
  const auto match = router.match(Verb::put, "/_matrix/client/v3/rooms/!a:b/state/m.room.name/");
  ASSERT_TRUE(match.route);
  EXPECT_THAT(match.parameters, ElementsAre("!a:b", "m.room.name", ""));
  EXPECT_EQ(operation(Verb::get, "/_matrix/client/v3/rooms/!a:b/state/m.room.name"), "get_state_no_key");
  EXPECT_EQ(operation(Verb::get, "/_matrix/client/v3/pushrules/"), "get_push_rules");
  EXPECT_EQ(operation(Verb::get, "/_matrix/client/v3/pushrules"), "404");
  EXPECT_EQ(operation(Verb::get, "/_matrix/client/v3/sync/"), "404");
}

TEST_F(RouterTest, empty_segments_inside_match_nothing) {
  EXPECT_EQ(operation(Verb::get, "/_matrix/client/v3/rooms//state"), "404");
  EXPECT_EQ(operation(Verb::get, "//"), "404");
  EXPECT_EQ(operation(Verb::get, "/"), "404");
}

TEST_F(RouterTest, wrong_verb_is_told_from_unknown_path) {
  EXPECT_EQ(operation(Verb::delete_, "/_matrix/client/v3/sync"), "405");
  EXPECT_EQ(operation(Verb::other, "/_matrix/client/v3/sync"), "405");
  EXPECT_EQ(operation(Verb::get, "/_matrix/client/v3/nothing"), "404");
  const auto match = router.match(Verb::delete_, "/_matrix/client/v3/rooms/!a:b/state/t/k");
  EXPECT_THAT(match.allowed, ElementsAre(Verb::get, Verb::put));
}

TEST_F(RouterTest, head_is_matched_as_get) {
  EXPECT_EQ(operation(Verb::head, "/_matrix/client/v3/sync"), "sync");
}

TEST_F(RouterTest, bad_percent_encoding_is_malformed) {
  for (const auto* path : {"/a/%/y", "/a/%2/y", "/a/%zz/y", "/a/%ff/y", "/a/%c3/y", "/a/%ed%a0%80/y", "/a/%c0%af/y"}) {
    EXPECT_TRUE(router.match(Verb::get, path).malformed) << path;
  }
  EXPECT_FALSE(router.match(Verb::get, "/a/%F0%9F%98%80/y").malformed);
}

TEST_F(RouterTest, encoded_nul_reaches_the_handler) {
  const auto match = router.match(Verb::get, "/a/%00x/y");
  ASSERT_TRUE(match.route);
  EXPECT_THAT(match.parameters, ElementsAre(std::string("\0x", 2)));
}

TEST(Uri, query_is_decoded_and_keeps_repeated_names) {
  const auto query = parse_query("via=a&via=b%26c&empty=&flag&text=x+y%2Bz&&");
  ASSERT_TRUE(query);
  EXPECT_EQ(query->count("via"), 2u);
  EXPECT_EQ(query->find("empty")->second, "");
  EXPECT_EQ(query->find("flag")->second, "");
  EXPECT_EQ(query->find("text")->second, "x y+z");
  EXPECT_THAT(*parse_query(""), IsEmpty());
  EXPECT_FALSE(parse_query("a=%"));
  EXPECT_FALSE(parse_query("a=%80"));
}

TEST(Message, query_parameter_is_the_first_of_its_name) {
  Request request;
  request.query = *parse_query("a=1&b=2&a=3");
  EXPECT_EQ(request.query_parameter("a"), "1");
  EXPECT_EQ(request.query_parameter("c"), std::nullopt);
}

TEST(Message, retry_after_is_rounded_up_to_seconds) {
  auto error = MatrixError{ErrorCode::limit_exceeded, 429, "Slow down.", {}};
  error.extra["retry_after_ms"] = 1001;
  const auto response = error_response(error);
  EXPECT_EQ(response.status, 429u);
  EXPECT_THAT(response.headers, ElementsAre(testing::Pair("Retry-After", "2")));
}

TEST(Message, disconnect_calls_back_once_or_at_once) {
  int calls = 0;
  Disconnect disconnect;
  disconnect.notify([&] { ++calls; });
  disconnect.signal();
  disconnect.signal();
  EXPECT_EQ(calls, 1);
  disconnect.notify([&] { ++calls; });
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace causeway::http
