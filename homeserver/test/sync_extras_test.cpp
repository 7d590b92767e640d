// What /sync tells beside rooms' events: receipts, typing, account data, ignored users.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/test/support/sync_test.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using boost::json::object;
using boost::json::value;
using testing::ElementsAre;

class SyncExtrasTest : public SyncTest {};

TEST_F(SyncExtrasTest, private_receipts_are_told_to_their_user_alone) {
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

TEST_F(SyncExtrasTest, receipts_do_not_go_back_and_must_fit_their_thread) {
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

TEST_F(SyncExtrasTest, fully_read_marker_is_room_account_data) {
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

TEST_F(SyncExtrasTest, account_data_is_told_once) {
  const auto since = next_batch(sync(alice));
  ASSERT_TRUE(kit.finish(kit.accounts.set_account_data(alice.nid, RoomNid{}, "org.example", {{"a", 1}})));
  const auto reply = sync(alice, since);
  EXPECT_EQ(reply.at("account_data").at("events").as_array().size(), 1u);
  EXPECT_EQ(reply.at("account_data").at("events").at(0).at("content").at("a"), 1);
  EXPECT_FALSE(sync(alice, next_batch(reply)).contains("account_data"));
}

TEST_F(SyncExtrasTest, ignored_users_are_heard_no_more_but_their_state_is) {
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

TEST_F(SyncExtrasTest, typing_is_told_when_it_begins_and_when_it_ends) {
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

}  // namespace
}  // namespace causeway::test
