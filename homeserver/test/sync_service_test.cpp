#include "homeserver/sync/sync_service.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/test/support/sync_kit.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using boost::json::object;
using boost::json::value;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

constexpr const char* lazy_filter = R"({"room":{"state":{"lazy_load_members":true}}})";

std::string next_batch(const object& reply) {
  return std::string(reply.at("next_batch").as_string());
}

// The room in a section of the reply; nullptr when it is not there.
const object* room_in(const object& reply, const char* section, const RoomId& room) {
  const auto* rooms = json::find_object(reply, "rooms");
  const auto* found = rooms ? json::find_object(*rooms, section) : nullptr;
  return found ? json::find_object(*found, room.str()) : nullptr;
}

// "type|state_key" or "type:body" of each event.
std::vector<std::string> events_of(const object& room, const char* part) {
  std::vector<std::string> names;
  for (const auto& entry : room.at(part).at("events").as_array()) {
    const object& event = entry.as_object();
    std::string name(event.at("type").as_string());
    if (const auto* key = event.if_contains("state_key")) name += "|" + std::string(key->as_string());
    if (const auto* content = json::find_object(event, "content"))
      if (auto body = json::find_string(*content, "body")) name += ":" + std::string(*body);
    names.push_back(std::move(name));
  }
  return names;
}

std::vector<std::string> bodies(const object& room) {
  std::vector<std::string> texts;
  for (const auto& event : room.at("timeline").at("events").as_array())
    if (auto body = json::find_string(event.at("content").as_object(), "body")) texts.emplace_back(*body);
  return texts;
}

const object* ephemeral(const object& room, const std::string& type) {
  for (const auto& event : room.at("ephemeral").at("events").as_array())
    if (event.at("type").as_string() == type) return &event.at("content").as_object();
  return nullptr;
}

class SyncServiceTest : public testing::Test {
 protected:
  SyncKit kit;
  Member alice = kit.member("alice"), bob = kit.member("bob");

  object sync(const Member& member, std::string since = "", std::string filter = "") {
    return kit.sync(kit.request(member, std::move(since), std::move(filter)));
  }
};

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

TEST_F(SyncServiceTest, private_receipts_are_told_to_their_user_alone) {
  ScriptedRoom room(kit, "r", alice);
  room.join(bob);
  const auto event = room.message(bob, "read me");
  const auto since_alice = next_batch(sync(alice)), since_bob = next_batch(sync(bob));
  auto set = [&](const char* type) {
    return kit.finish(kit.life->receipts.set(alice.nid, alice.id, room.info(), type, event, std::nullopt));
  };
  ASSERT_TRUE(set("m.read.private"));
  const auto own = sync(alice, since_alice);
  const object* receipt = ephemeral(*room_in(own, "join", room.id), "m.receipt");
  ASSERT_TRUE(receipt);
  EXPECT_TRUE(receipt->at(event.str()).at("m.read.private").as_object().contains(alice.id.str()));
  EXPECT_FALSE(sync(bob, since_bob).contains("rooms"));

  ASSERT_TRUE(set("m.read"));
  const auto reply = sync(bob, since_bob);
  receipt = ephemeral(*room_in(reply, "join", room.id), "m.receipt");
  ASSERT_TRUE(receipt);
  EXPECT_FALSE(receipt->at(event.str()).as_object().contains("m.read.private"));
  EXPECT_TRUE(receipt->at(event.str()).at("m.read").as_object().contains(alice.id.str()));
  // From the database, in another life, the same.
  const auto initial = sync(bob);
  receipt = ephemeral(*room_in(initial, "join", room.id), "m.receipt");
  ASSERT_TRUE(receipt);
  EXPECT_FALSE(receipt->at(event.str()).as_object().contains("m.read.private"));
}

TEST_F(SyncServiceTest, receipts_do_not_go_back_and_must_fit_their_thread) {
  ScriptedRoom room(kit, "r", alice);
  const auto first = room.message(alice, "1"), second = room.message(alice, "2");
  auto set = [&](std::string type, EventId event, std::optional<std::string> thread) {
    return kit.finish(kit.life->receipts.set(alice.nid, alice.id, room.info(), type, event, thread));
  };
  ASSERT_TRUE(set("m.read", second, std::nullopt));
  const auto since = next_batch(sync(alice));
  ASSERT_TRUE(set("m.read", first, std::nullopt));
  EXPECT_FALSE(sync(alice, since).contains("rooms"));
  EXPECT_TRUE(set("m.read", second, "main"));
  EXPECT_EQ(set("m.read", second, first.str()).error().code, ErrorCode::invalid_param);
  EXPECT_EQ(set("m.fully_read", second, "main").error().code, ErrorCode::invalid_param);
  EXPECT_EQ(set("m.seen", second, std::nullopt).error().code, ErrorCode::invalid_param);
  EXPECT_EQ(set("m.read", EventId::trusted("$none"), std::nullopt).error().code, ErrorCode::not_found);
  EXPECT_EQ(
      kit.finish(kit.life->receipts.set(bob.nid, bob.id, room.info(), "m.read", first, std::nullopt)).error().code,
      ErrorCode::forbidden);
}

TEST_F(SyncServiceTest, fully_read_marker_is_room_account_data) {
  ScriptedRoom room(kit, "r", alice);
  const auto event = room.message(alice, "1");
  const auto since = next_batch(sync(alice));
  ASSERT_TRUE(
      kit.finish(kit.life->receipts.set(alice.nid, alice.id, room.info(), "m.fully_read", event, std::nullopt)));
  const auto reply = sync(alice, since);
  const auto& data = room_in(reply, "join", room.id)->at("account_data").at("events").at(0);
  EXPECT_EQ(data.at("type"), "m.fully_read");
  EXPECT_EQ(data.at("content").at("event_id").as_string(), event.str());
}

TEST_F(SyncServiceTest, account_data_is_told_once) {
  const auto since = next_batch(sync(alice));
  ASSERT_TRUE(kit.finish(kit.accounts.set_account_data(alice.nid, RoomNid{}, "org.example", {{"a", 1}})));
  const auto reply = sync(alice, since);
  EXPECT_EQ(reply.at("account_data").at("events").as_array().size(), 1u);
  EXPECT_EQ(reply.at("account_data").at("events").at(0).at("content").at("a"), 1);
  EXPECT_FALSE(sync(alice, next_batch(reply)).contains("account_data"));
}

TEST_F(SyncServiceTest, ignored_users_are_heard_no_more_but_their_state_is) {
  ScriptedRoom room(kit, "r", alice);
  room.join(bob);
  ASSERT_TRUE(kit.finish(kit.accounts.set_account_data(alice.nid, RoomNid{}, "m.ignored_user_list",
                                                       {{"ignored_users", {{"@bob:example.org", object()}}}})));
  const auto since = next_batch(sync(alice));
  room.message(bob, "noise");
  room.state(bob, "m.room.topic", "", {{"topic", "t"}});
  const auto reply = sync(alice, since);
  EXPECT_THAT(events_of(*room_in(reply, "join", room.id), "timeline"), ElementsAre("m.room.topic|"));
}

TEST_F(SyncServiceTest, typing_is_told_when_it_begins_and_when_it_ends) {
  ScriptedRoom room(kit, "r", alice);
  auto since = next_batch(sync(alice));
  kit.life->typing.set(room.nid, bob.id, true, 30s, true);
  auto reply = sync(alice, since);
  EXPECT_EQ(ephemeral(*room_in(reply, "join", room.id), "m.typing")->at("user_ids"),
            value(boost::json::array{"@bob:example.org"}));
  since = next_batch(reply);
  EXPECT_FALSE(sync(alice, since).contains("rooms"));
  kit.life->typing.set(room.nid, bob.id, false, 0s, true);
  reply = sync(alice, since);
  EXPECT_EQ(ephemeral(*room_in(reply, "join", room.id), "m.typing")->at("user_ids"), value(boost::json::array{}));
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

// --- what it costs ---------------------------------------------------------------------------------------------------

TEST_F(SyncServiceTest, idle_sync_asks_the_database_nothing) {
  ScriptedRoom room(kit, "r", alice);
  const auto since = next_batch(sync(alice));
  object reply;
  EXPECT_EQ(kit.round_trips_of([&] { reply = sync(alice, since); }), 0u);
  EXPECT_FALSE(reply.contains("rooms"));
}

TEST_F(SyncServiceTest, waiter_is_woken_by_a_message_and_answered_from_memory) {
  ScriptedRoom room(kit, "r", alice);
  room.join(bob);
  room.message(bob, "old");
  auto request = kit.request(alice, next_batch(sync(alice, "", lazy_filter)), lazy_filter);
  request.timeout = 60s;
  auto waiting = kit.start(kit.life->sync.sync(request));
  kit.drive_until_waiting(1);
  room.message(bob, "new");
  const auto queries = kit.round_trips_of([&] { kit.drive([&] { return waiting->done(); }); });
  EXPECT_EQ(queries, 0u);
  const auto reply = boost::json::parse(waiting->take().value()).as_object();
  EXPECT_THAT(bodies(*room_in(reply, "join", room.id)), ElementsAre("new"));
}

TEST_F(SyncServiceTest, waiters_of_other_rooms_sleep_on) {
  ScriptedRoom of_alice(kit, "a", alice), of_bob(kit, "b", bob);
  auto request = kit.request(alice, next_batch(sync(alice)));
  request.timeout = 60s;
  auto waiting = kit.start(kit.life->sync.sync(request));
  kit.drive_until_waiting(1);
  of_bob.message(bob, "not for alice");
  EXPECT_FALSE(waiting->done());
  of_alice.message(alice, "for alice");
  kit.drive([&] { return waiting->done(); });
  EXPECT_TRUE(waiting->take());
}

TEST_F(SyncServiceTest, waiter_is_woken_by_what_concerns_its_user) {
  ScriptedRoom room(kit, "r", bob);
  auto request = kit.request(alice, next_batch(sync(alice)));
  request.timeout = 60s;
  auto wait = [&] {
    auto waiting = kit.start(kit.life->sync.sync(request));
    kit.drive_until_waiting(1);
    return waiting;
  };
  auto answered = [&](auto waiting) {
    kit.drive([&] { return waiting->done(); });
    auto reply = boost::json::parse(waiting->take().value()).as_object();
    request.since = next_batch(reply);
    return reply;
  };
  auto waiting = wait();
  room.membership(bob, alice, "invite");
  EXPECT_TRUE(room_in(answered(waiting), "invite", room.id));
  waiting = wait();
  room.join(alice);
  EXPECT_TRUE(room_in(answered(waiting), "join", room.id));
  waiting = wait();
  kit.life->typing.set(room.nid, bob.id, true, 30s, true);
  EXPECT_TRUE(room_in(answered(waiting), "join", room.id));
  waiting = wait();
  ASSERT_TRUE(kit.finish(kit.accounts.set_account_data(alice.nid, RoomNid{}, "org.example", {})));
  EXPECT_TRUE(answered(waiting).contains("account_data"));
  waiting = wait();
  kit.life->notifier.drain();
  EXPECT_FALSE(answered(waiting).contains("rooms"));
}

TEST_F(SyncServiceTest, initial_sync_of_many_rooms_takes_a_handful_of_round_trips) {
  std::vector<std::unique_ptr<ScriptedRoom>> rooms;
  for (int i = 0; i < 20; ++i) {
    rooms.push_back(std::make_unique<ScriptedRoom>(kit, "r" + std::to_string(i), alice));
    for (int n = 0; n < 12; ++n)
      rooms.back()->message(alice, std::to_string(n));
  }
  StreamHub later;
  later.start_at(kit.hub.position());
  SyncKit::Life next(kit, later, 2);
  std::string text;
  const auto queries =
      kit.round_trips_of([&] { text = kit.finish(next.sync.sync(kit.request(alice, "", lazy_filter))).value(); });
  EXPECT_LE(queries, 15u);
  const auto reply = boost::json::parse(text).as_object();
  for (const auto& room : rooms)
    EXPECT_EQ(bodies(*room_in(reply, "join", room->id)).size(), 10u);
}

}  // namespace
}  // namespace causeway::test
