#include "homeserver/sync/sync_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/test/support/sync_test.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using boost::json::object;
using boost::json::value;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* lazy_filter = R"({"room":{"state":{"lazy_load_members":true}}})";

class SyncServiceTest : public SyncTest {};

TEST_F(SyncServiceTest, initial_sync_has_state_before_the_timeline_and_the_required_keys) {
  ScriptedRoom room(kit, "r", alice);
  for (int i = 0; i < 12; ++i)
    room.message(alice, std::to_string(i));
  const auto reply = sync(alice);
  const object* joined = room_in(reply, "join", room.id);
  ASSERT_TRUE(joined);
  EXPECT_THAT(bodies(*joined), ElementsAre("2", "3", "4", "5", "6", "7", "8", "9", "10", "11"));
  EXPECT_TRUE(joined->at("timeline").at("limited").as_bool());
  EXPECT_THAT(events_of(*joined, "state"),
              UnorderedElementsAre("m.room.create|", "m.room.member|@alice:example.org", "m.room.power_levels|",
                                   "m.room.join_rules|", "m.room.history_visibility|"));
  EXPECT_EQ(joined->at("summary").at("m.joined_member_count"), 1);
  EXPECT_TRUE(reply.contains("device_one_time_keys_count"));
  EXPECT_TRUE(reply.contains("device_unused_fallback_key_types"));
  EXPECT_EQ(reply.at("account_data").at("events").at(0).at("type"), "m.push_rules");
}

TEST_F(SyncServiceTest, small_new_room_fits_into_the_timeline_without_state) {
  ScriptedRoom room(kit, "r", alice);
  const auto reply = sync(alice);
  const object* joined = room_in(reply, "join", room.id);
  ASSERT_TRUE(joined);
  EXPECT_EQ(events_of(*joined, "timeline").size(), 5u);
  EXPECT_THAT(events_of(*joined, "state"), IsEmpty());
  EXPECT_FALSE(joined->at("timeline").at("limited").as_bool());
}

TEST_F(SyncServiceTest, incremental_syncs_tell_each_event_once_in_order_of_arrival) {
  ScriptedRoom room(kit, "r", alice);
  room.join(bob);
  std::string since = next_batch(sync(alice));
  std::vector<std::string> told;
  for (int i = 0; i < 5; ++i) {
    room.message(bob, "a" + std::to_string(i));
    room.message(alice, "b" + std::to_string(i));
    const auto reply = sync(alice, since);
    since = next_batch(reply);
    for (auto& text : bodies(*room_in(reply, "join", room.id)))
      told.push_back(text);
  }
  EXPECT_THAT(told, ElementsAre("a0", "b0", "a1", "b1", "a2", "b2", "a3", "b3", "a4", "b4"));
  EXPECT_FALSE(sync(alice, since).contains("rooms"));
}

TEST_F(SyncServiceTest, limited_sync_has_the_state_of_the_gap_and_a_token_for_it) {
  ScriptedRoom room(kit, "r", alice);
  const auto since = next_batch(sync(alice));
  room.state(alice, "m.room.topic", "", {{"topic", "in the gap"}});
  for (int i = 0; i < 4; ++i)
    room.message(alice, std::to_string(i));
  room.state(alice, "m.room.name", "", {{"name", "in the timeline"}});
  const auto reply = sync(alice, since, R"({"room":{"timeline":{"limit":3}}})");
  const object* joined = room_in(reply, "join", room.id);
  ASSERT_TRUE(joined);
  EXPECT_TRUE(joined->at("timeline").at("limited").as_bool());
  EXPECT_THAT(events_of(*joined, "timeline"), ElementsAre("m.room.message:2", "m.room.message:3", "m.room.name|"));
  EXPECT_THAT(events_of(*joined, "state"), ElementsAre("m.room.topic|"));

  const auto from = parse_pagination_token(joined->at("timeline").at("prev_batch").as_string());
  ASSERT_TRUE(from);
  const auto before = kit.finish(kit.life->events.page(room.nid, *from, Direction::backward, 2));
  ASSERT_EQ(before.size(), 2u);
  EXPECT_EQ(before[0]->event->content().at("body"), "1");
  EXPECT_EQ(before[1]->event->content().at("body"), "0");
}

TEST_F(SyncServiceTest, state_after_is_the_state_at_the_end_of_the_timeline) {
  ScriptedRoom room(kit, "r", alice);
  auto request = kit.request(alice);
  request.use_state_after = true;
  auto reply = kit.sync(request);
  const object* joined = room_in(reply, "join", room.id);
  EXPECT_EQ(events_of(*joined, "state_after").size(), 5u);
  EXPECT_FALSE(joined->contains("state"));

  request.since = next_batch(reply);
  room.state(alice, "m.room.name", "", {{"name", "first"}});
  const auto last = room.state(alice, "m.room.name", "", {{"name", "second"}});
  reply = kit.sync(request);
  joined = room_in(reply, "join", room.id);
  ASSERT_EQ(events_of(*joined, "state_after"), std::vector<std::string>{"m.room.name|"});
  EXPECT_EQ(joined->at("state_after").at("events").at(0).at("event_id").as_string(), last.str());

  request.since = next_batch(reply);
  room.message(alice, "nothing changes");
  request.use_state_after = false;
  request.use_state_after_unstable = true;
  reply = kit.sync(request);
  joined = room_in(reply, "join", room.id);
  EXPECT_THAT(events_of(*joined, "org.matrix.msc4222.state_after"), IsEmpty());
}

TEST_F(SyncServiceTest, newly_joined_room_comes_with_all_of_its_state) {
  ScriptedRoom room(kit, "r", alice);
  for (int i = 0; i < 3; ++i)
    room.message(alice, std::to_string(i));
  const auto since = next_batch(sync(bob));
  room.join(bob);
  const auto reply = sync(bob, since, R"({"room":{"timeline":{"limit":2}}})");
  const object* joined = room_in(reply, "join", room.id);
  ASSERT_TRUE(joined);
  EXPECT_THAT(events_of(*joined, "timeline"), ElementsAre("m.room.message:2", "m.room.member|@bob:example.org"));
  EXPECT_EQ(events_of(*joined, "state").size(), 5u);
  EXPECT_EQ(joined->at("summary").at("m.heroes").as_array(), boost::json::array{"@alice:example.org"});
  EXPECT_EQ(joined->at("summary").at("m.joined_member_count"), 2);
}

TEST_F(SyncServiceTest, newcomer_sees_nothing_from_before_the_join_when_history_is_for_joined_members) {
  ScriptedRoom room(kit, "r", alice, "joined");
  room.message(alice, "secret");
  const auto since = next_batch(sync(bob));
  room.join(bob);
  room.message(alice, "welcome");
  const auto reply = sync(bob, since);
  // What was sent before the visibility was set is for everyone, as is the default.
  EXPECT_THAT(bodies(*room_in(reply, "join", room.id)), ElementsAre("welcome"));
}

TEST_F(SyncServiceTest, profile_change_is_no_new_join) {
  ScriptedRoom room(kit, "r", alice);
  room.join(bob);
  const auto since = next_batch(sync(bob));
  room.membership(bob, bob, "join", "Robert");
  const auto reply = sync(bob, since);
  const object* joined = room_in(reply, "join", room.id);
  EXPECT_THAT(events_of(*joined, "timeline"), ElementsAre("m.room.member|@bob:example.org"));
  EXPECT_THAT(events_of(*joined, "state"), IsEmpty());
}

TEST_F(SyncServiceTest, left_room_is_told_once_up_to_the_leave) {
  ScriptedRoom room(kit, "r", alice);
  room.join(bob);
  auto since = next_batch(sync(bob));
  room.message(alice, "before");
  room.membership(alice, bob, "leave");
  room.message(alice, "after");
  auto reply = sync(bob, since);
  const object* left = room_in(reply, "leave", room.id);
  ASSERT_TRUE(left);
  EXPECT_THAT(events_of(*left, "timeline"), ElementsAre("m.room.message:before", "m.room.member|@bob:example.org"));
  EXPECT_FALSE(room_in(reply, "join", room.id));
  since = next_batch(reply);
  room.message(alice, "later");
  EXPECT_FALSE(sync(bob, since).contains("rooms"));

  EXPECT_FALSE(room_in(sync(bob), "leave", room.id));
  const auto with_left = sync(bob, "", R"({"room":{"include_leave":true}})");
  left = room_in(with_left, "leave", room.id);
  ASSERT_TRUE(left);
  EXPECT_EQ(events_of(*left, "timeline").back(), "m.room.member|@bob:example.org");
}

TEST_F(SyncServiceTest, rejected_invite_tells_nothing_of_the_room) {
  ScriptedRoom room(kit, "r", alice, "invited");
  auto since = next_batch(sync(bob));
  room.membership(alice, bob, "invite");
  auto reply = sync(bob, since);
  const object* invited = room_in(reply, "invite", room.id);
  ASSERT_TRUE(invited);
  EXPECT_THAT(events_of(*invited, "invite_state"),
              UnorderedElementsAre("m.room.create|", "m.room.join_rules|", "m.room.member|@bob:example.org"));
  EXPECT_FALSE(invited->at("invite_state").at("events").at(0).as_object().contains("event_id"));
  since = next_batch(reply);
  room.leave(bob);
  reply = sync(bob, since);
  const object* left = room_in(reply, "leave", room.id);
  ASSERT_TRUE(left);
  EXPECT_THAT(events_of(*left, "timeline"), ElementsAre("m.room.member|@bob:example.org"));
  EXPECT_THAT(events_of(*left, "state"), IsEmpty());
}

TEST_F(SyncServiceTest, rejoin_between_two_syncs_counts_as_a_new_join) {
  ScriptedRoom room(kit, "r", alice);
  room.join(bob);
  const auto since = next_batch(sync(bob));
  room.leave(bob);
  room.state(alice, "m.room.name", "", {{"name", "changed meanwhile"}});
  room.join(bob);
  const auto reply = sync(bob, since, R"({"room":{"timeline":{"limit":1}}})");
  const object* joined = room_in(reply, "join", room.id);
  EXPECT_THAT(events_of(*joined, "timeline"), ElementsAre("m.room.member|@bob:example.org"));
  EXPECT_THAT(events_of(*joined, "state"), testing::Contains("m.room.create|"));
}

TEST_F(SyncServiceTest, lazy_loading_tells_senders_once) {
  const Member carol = kit.member("carol");
  ScriptedRoom room(kit, "r", alice);
  room.join(bob);
  room.join(carol);
  for (int i = 0; i < 3; ++i)
    room.message(bob, "old");
  const std::string filter = R"({"room":{"state":{"lazy_load_members":true},"timeline":{"limit":2}}})";
  auto reply = sync(alice, "", filter);
  // The summary's heroes are bob and carol, so both are told at first.
  EXPECT_THAT(events_of(*room_in(reply, "join", room.id), "state"),
              UnorderedElementsAre("m.room.create|", "m.room.power_levels|", "m.room.join_rules|",
                                   "m.room.history_visibility|", "m.room.member|@alice:example.org",
                                   "m.room.member|@bob:example.org", "m.room.member|@carol:example.org"));
  auto since = next_batch(reply);
  room.message(bob, "new");
  reply = sync(alice, since, filter);
  EXPECT_THAT(events_of(*room_in(reply, "join", room.id), "state"), IsEmpty()) << "known already";
  const std::string redundant = R"({"room":{"state":{"lazy_load_members":true,"include_redundant_members":true}}})";
  reply = sync(alice, since, redundant);
  EXPECT_THAT(events_of(*room_in(reply, "join", room.id), "state"), ElementsAre("m.room.member|@bob:example.org"));
}

TEST_F(SyncServiceTest, lazy_loading_tells_every_membership_change_of_a_gap) {
  const Member carol = kit.member("carol");
  ScriptedRoom room(kit, "r", alice);
  const auto since = next_batch(sync(alice, "", lazy_filter));
  room.join(bob);
  room.join(carol);
  room.leave(carol);
  for (int i = 0; i < 3; ++i)
    room.message(alice, std::to_string(i));
  const auto reply = sync(alice, since, R"({"room":{"state":{"lazy_load_members":true},"timeline":{"limit":1}}})");
  EXPECT_THAT(events_of(*room_in(reply, "join", room.id), "state"),
              UnorderedElementsAre("m.room.member|@bob:example.org", "m.room.member|@carol:example.org"));
}

TEST_F(SyncServiceTest, filter_by_type_looks_behind_what_it_leaves_out) {
  ScriptedRoom room(kit, "r", alice);
  const auto since = next_batch(sync(alice));
  room.message(alice, "wanted");
  for (int i = 0; i < 150; ++i)
    room.state(alice, "org.noise", "", {{"i", i}});
  const auto reply =
      sync(alice, since, R"({"room":{"timeline":{"types":["m.room.message"],"limit":5},"state":{"types":["m.*"]}}})");
  const object* joined = room_in(reply, "join", room.id);
  ASSERT_TRUE(joined);
  EXPECT_THAT(bodies(*joined), ElementsAre("wanted"));
  EXPECT_FALSE(joined->at("timeline").at("limited").as_bool());
  EXPECT_THAT(events_of(*joined, "state"), IsEmpty());
}

TEST_F(SyncServiceTest, state_events_that_the_timeline_filter_drops_are_told_as_state) {
  ScriptedRoom room(kit, "r", alice);
  const auto since = next_batch(sync(alice));
  room.state(alice, "m.room.name", "", {{"name", "new"}});
  room.message(alice, "hi");
  const auto reply = sync(alice, since, R"({"room":{"timeline":{"types":["m.room.message"]}}})");
  const object* joined = room_in(reply, "join", room.id);
  EXPECT_THAT(events_of(*joined, "timeline"), ElementsAre("m.room.message:hi"));
  EXPECT_THAT(events_of(*joined, "state"), ElementsAre("m.room.name|"));
}

TEST_F(SyncServiceTest, excluded_room_is_not_told) {
  ScriptedRoom room(kit, "r", alice), other(kit, "other", alice);
  const auto reply = sync(alice, "", R"({"room":{"not_rooms":["!r:example.org"]}})");
  EXPECT_FALSE(room_in(reply, "join", room.id));
  EXPECT_TRUE(room_in(reply, "join", other.id));
}

TEST_F(SyncServiceTest, federation_format_and_event_fields_shape_the_events) {
  ScriptedRoom room(kit, "r", alice);
  room.message(alice, "hi");
  auto reply = sync(alice, "", R"({"event_format":"federation","room":{"timeline":{"limit":1}}})");
  EXPECT_TRUE(room_in(reply, "join", room.id)->at("timeline").at("events").at(0).as_object().contains("signatures"));
  reply = sync(alice, "", R"({"event_fields":["type","content.body"],"room":{"timeline":{"limit":1}}})");
  EXPECT_EQ(room_in(reply, "join", room.id)->at("timeline").at("events").at(0),
            boost::json::parse(R"({"type":"m.room.message","content":{"body":"hi"}})"));
}

TEST_F(SyncServiceTest, full_state_tells_all_state_and_only_new_events) {
  ScriptedRoom room(kit, "r", alice);
  auto request = kit.request(alice, next_batch(sync(alice)));
  request.full_state = true;
  request.timeout = 1h;
  const auto reply = kit.sync(request);
  const object* joined = room_in(reply, "join", room.id);
  ASSERT_TRUE(joined);
  EXPECT_EQ(events_of(*joined, "state").size(), 5u);
  EXPECT_THAT(events_of(*joined, "timeline"), IsEmpty());
}

TEST_F(SyncServiceTest, token_of_an_earlier_life_goes_on_without_gap_and_with_current_typing) {
  ScriptedRoom room(kit, "r", alice);
  kit.life->typing.set(room.nid, bob.id, true, 30s, true);
  const auto since = next_batch(sync(alice));
  room.message(alice, "1");
  room.state(alice, "m.room.name", "", {{"name", "2"}});
  room.message(alice, "3");

  StreamHub later;
  later.start_at(kit.hub.position());
  SyncKit::Life next(kit, later, 2);
  const auto text = kit.finish(next.sync.sync(kit.request(alice, since))).value();
  const auto reply = boost::json::parse(text).as_object();
  const object* joined = room_in(reply, "join", room.id);
  ASSERT_TRUE(joined);
  EXPECT_THAT(events_of(*joined, "timeline"), ElementsAre("m.room.message:1", "m.room.name|", "m.room.message:3"));
  EXPECT_THAT(events_of(*joined, "state"), IsEmpty());
  EXPECT_FALSE(joined->at("timeline").at("limited").as_bool());
  EXPECT_EQ(ephemeral(*joined, "m.typing")->at("user_ids"), value(boost::json::array{}));
  const auto again = kit.finish(next.sync.sync(kit.request(alice, next_batch(reply)))).value();
  EXPECT_FALSE(boost::json::parse(again).as_object().contains("rooms"));
}

TEST_F(SyncServiceTest, bad_tokens_and_filters_are_refused) {
  auto error_of = [&](const SyncRequest& request) { return kit.finish(kit.life->sync.sync(request)).error().code; };
  EXPECT_EQ(error_of(kit.request(alice, "nonsense")), ErrorCode::invalid_param);
  EXPECT_EQ(error_of(kit.request(alice, SyncToken{1'000'000, 1, 0}.str())), ErrorCode::invalid_param);
  EXPECT_EQ(error_of(kit.request(alice, "", "12345")), ErrorCode::invalid_param);
  EXPECT_EQ(error_of(kit.request(alice, "", "{nonsense")), ErrorCode::not_json);
  EXPECT_EQ(error_of(kit.request(alice, "", R"({"room":1})")), ErrorCode::bad_json);
}

TEST_F(SyncServiceTest, stored_filter_is_used_by_its_id) {
  ScriptedRoom room(kit, "r", alice);
  const auto id = kit.finish(kit.accounts.add_filter(alice.nid, R"({"room":{"timeline":{"limit":1}}})")).value();
  const auto reply = sync(alice, "", id);
  EXPECT_EQ(events_of(*room_in(reply, "join", room.id), "timeline").size(), 1u);
}

}  // namespace
}  // namespace causeway::test
