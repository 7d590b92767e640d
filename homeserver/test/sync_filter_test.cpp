#include <gtest/gtest.h>

#include "homeserver/sync/filter.hpp"

namespace causeway {
namespace {

TEST(Filter, empty_filter_accepts_everything) {
  auto filter = Filter::parse("{}");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->room_timeline.accepts_everything());
  EXPECT_TRUE(filter->rooms.accepts("!a:b"));
  EXPECT_FALSE(filter->include_leave);
  EXPECT_EQ(filter->room_timeline.limit_or(10, 100), 10u);
}

TEST(Filter, star_matches_any_sequence_and_exclusion_wins) {
  auto filter = RoomEventFilter::parse(R"({"types":["m.room.*","*.custom","a*b*c"],"not_types":["m.room.mem*"]})");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->types.accepts("m.room.message"));
  EXPECT_TRUE(filter->types.accepts("org.custom"));
  EXPECT_TRUE(filter->types.accepts("abbc"));
  EXPECT_FALSE(filter->types.accepts("abb"));
  EXPECT_FALSE(filter->types.accepts("m.room.member"));
  EXPECT_FALSE(filter->types.accepts("m.reaction"));
}

TEST(Filter, empty_list_of_types_accepts_nothing) {
  auto filter = RoomEventFilter::parse(R"({"types":[]})");
  ASSERT_TRUE(filter);
  EXPECT_FALSE(filter->types.accepts("m.room.message"));
}

TEST(Filter, excluded_room_and_sender_win_over_included) {
  auto filter = Filter::parse(R"({"room":{"rooms":["!a:x","!b:x"],"not_rooms":["!b:x"],
                                          "timeline":{"senders":["@u:x"],"not_senders":["@u:x"],"limit":1000}}})");
  ASSERT_TRUE(filter);
  EXPECT_TRUE(filter->rooms.accepts("!a:x"));
  EXPECT_FALSE(filter->rooms.accepts("!b:x"));
  EXPECT_FALSE(filter->rooms.accepts("!c:x"));
  EXPECT_FALSE(filter->room_timeline.senders.accepts("@u:x"));
  EXPECT_EQ(filter->room_timeline.limit_or(10, 100), 100u);
}

TEST(Filter, wrong_types_are_bad_json_and_wrong_values_invalid_param) {
  for (const char* text : {R"({"presence":"x"})", R"({"room":{"timeline":{"senders":"@u:x"}}})",
                           R"({"room":{"rooms":[1]}})", R"({"event_fields":{}})", R"({"room":{"include_leave":1}})",
                           R"({"room":{"state":{"lazy_load_members":"yes"}}})"}) {
    auto filter = Filter::parse(text);
    ASSERT_FALSE(filter) << text;
    EXPECT_EQ(filter.error().code, ErrorCode::bad_json) << text;
  }
  for (const char* text : {R"({"event_format":"xml"})", R"({"room":{"timeline":{"limit":-1}}})",
                           R"({"presence":{"senders":["nobody"]}})", R"({"room":{"rooms":["room"]}})"}) {
    auto filter = Filter::parse(text);
    ASSERT_FALSE(filter) << text;
    EXPECT_EQ(filter.error().code, ErrorCode::invalid_param) << text;
  }
}

TEST(Filter, event_fields_keep_what_the_paths_name) {
  auto filter = Filter::parse(R"({"event_fields":["type","content.body","content.m\\.x","content.none"]})");
  ASSERT_TRUE(filter);
  const auto kept =
      keep_event_fields(R"({"type":"t","sender":"@a:b","content":{"body":"hi","m.x":1,"z":2}})", filter->event_fields);
  EXPECT_EQ(boost::json::parse(kept), boost::json::parse(R"({"type":"t","content":{"body":"hi","m.x":1}})"));
}

// A redaction shown with the event redacted, both as deep as events can be.
TEST(Filter, event_fields_reach_into_events_as_deep_as_there_are) {
  constexpr std::size_t depth = 70;
  std::string text = "1";
  for (std::size_t i = 0; i < depth; ++i)
    text = R"({"a":)" + text + "}";
  EXPECT_EQ(keep_event_fields(text, {{"a", "a"}}), text);
}

}  // namespace
}  // namespace causeway
