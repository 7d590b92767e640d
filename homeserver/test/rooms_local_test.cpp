// Rooms of one server: creation, sending, membership, redaction.
#include <gtest/gtest.h>

#include "homeserver/test/support/rooms_kit.hpp"
#include "schema/json/json.hpp"

namespace causeway::test {
namespace {

using Kind = ChangeMembership::Kind;
using boost::json::object;

struct RoomsTest : testing::Test {
  asio::io_context reactor;
  RoomsKit kit{reactor};
  Sender alice = kit.user("alice");
  Sender bob = kit.user("bob");

  std::string value(const EventPtr& event, std::string_view key) {
    return std::string(json::find_string(event->content(), key).value_or("(none)"));
  }
};

struct PresetRules {
  const char* preset;
  const char* join_rule;
  const char* guest_access;
};
constexpr PresetRules preset_rules[] = {
    {"private_chat", "invite", "can_join"},
    {"trusted_private_chat", "invite", "can_join"},
    {"public_chat", "public", "forbidden"},
};

TEST_F(RoomsTest, every_preset_in_every_version_makes_the_state_of_the_specification) {
  for (const auto& version : supported_room_versions()) {
    for (const auto& rules : preset_rules) {
      SCOPED_TRACE(std::string(version.id) + " " + rules.preset);
      CreateRoom request;
      request.version = version.id;
      request.preset = rules.preset;
      request.name = "Name";
      request.topic = "Topic";
      request.invite.push_back(bob.user);
      const RoomId room = kit.create_room(alice, std::move(request));
      auto state = kit.state(room);
      EXPECT_EQ(value(state.at("m.room.join_rules|"), "join_rule"), rules.join_rule);
      EXPECT_EQ(value(state.at("m.room.guest_access|"), "guest_access"), rules.guest_access);
      EXPECT_EQ(value(state.at("m.room.history_visibility|"), "history_visibility"), "shared");
      EXPECT_EQ(value(state.at("m.room.name|"), "name"), "Name");
      EXPECT_EQ(value(state.at("m.room.topic|"), "topic"), "Topic");
      EXPECT_EQ(kit.membership(room, alice.user), "join");
      EXPECT_EQ(kit.membership(room, bob.user), "invite");
      const EventPtr create = state.at("m.room.create|");
      EXPECT_EQ(value(create, "room_version"), version.id);
      EXPECT_EQ(create->content().contains("creator"), version.creator_in_content);
      if (version.room_id_is_create_hash) {
        EXPECT_EQ("$" + room.str().substr(1), create->id().str());
      }
      const auto& levels = state.at("m.room.power_levels|")->content();
      const auto& users = levels.at("users").as_object();
      EXPECT_EQ(users.contains(alice.user.str()), !version.creators_are_privileged);
      EXPECT_EQ(levels.at("events").at("m.room.tombstone").as_int64(), version.creators_are_privileged ? 150 : 100);
      const bool trusted = std::string_view(rules.preset) == "trusted_private_chat";
      EXPECT_EQ(create->content().contains("additional_creators"), trusted && version.creators_are_privileged);
      EXPECT_EQ(users.contains(bob.user.str()), trusted && !version.creators_are_privileged);
    }
  }
}

TEST_F(RoomsTest, events_of_a_new_room_come_in_the_order_of_the_specification) {
  CreateRoom request;
  request.preset = "public_chat";
  request.alias_localpart = "pub";
  request.name = "Name";
  request.invite.push_back(bob.user);
  object encryption;
  encryption["type"] = "m.room.encryption";
  encryption["content"] = object{{"algorithm", "m.megolm.v1.aes-sha2"}};
  request.initial_state.push_back(std::move(encryption));
  object rules;
  rules["type"] = "m.room.join_rules";
  rules["content"] = object{{"join_rule", "knock"}};
  request.initial_state.push_back(std::move(rules));
  const RoomId room = kit.create_room(alice, std::move(request));
  std::vector<std::string> types;
  for (const auto& event : kit.timeline(room))
    types.push_back(event->event->type());
  EXPECT_EQ(types,
            (std::vector<std::string>{"m.room.create", "m.room.member", "m.room.power_levels", "m.room.canonical_alias",
                                      "m.room.history_visibility", "m.room.guest_access", "m.room.encryption",
                                      "m.room.join_rules", "m.room.name", "m.room.member"}));
  auto resolved = kit.run(kit.rooms->resolve_alias(RoomAlias::trusted("#pub:here.example")));
  ASSERT_TRUE(resolved);
  EXPECT_EQ(resolved->room_id, room);
  CreateRoom again;
  again.creator = bob;
  again.alias_localpart = "pub";
  EXPECT_EQ(kit.run(kit.rooms->create_room(std::move(again))).error().code, ErrorCode::room_in_use);
}

TEST_F(RoomsTest, room_that_its_own_levels_forbid_is_refused_and_leaves_nothing) {
  CreateRoom request;
  request.creator = alice;
  request.version = "11";
  request.name = "Name";
  request.power_level_override["users"] = object{{alice.user.str(), 0}};
  auto refused = kit.run(kit.rooms->create_room(std::move(request)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::invalid_room_state);
  EXPECT_EQ(refused.error().status, 400u);
  EXPECT_EQ(kit.hub->position(), 0);
  CreateRoom unknown;
  unknown.creator = alice;
  unknown.version = "99";
  EXPECT_EQ(kit.run(kit.rooms->create_room(std::move(unknown))).error().code, ErrorCode::unsupported_room_version);
}

TEST_F(RoomsTest, rooms_made_alike_in_the_same_millisecond_are_different_rooms) {
  std::set<std::string> ids;
  for (int i = 0; i < 3; ++i) {
    CreateRoom request;
    request.creator = alice;
    spawn(reactor, kit.rooms->create_room(std::move(request)), [&](std::exception_ptr, Result<RoomId> made) {
      ASSERT_TRUE(made);
      ids.insert(made->str());
    });
  }
  reactor.restart();
  reactor.run();
  EXPECT_EQ(ids.size(), 3u);
}

TEST_F(RoomsTest, concurrent_sends_in_one_room_make_one_linear_graph) {
  const RoomId room = kit.create_public_room(alice);
  const StreamPosition before = kit.hub->position();
  constexpr int count = 64;
  std::set<std::string> ids;
  for (int i = 0; i < count; ++i) {
    SendEvent request;
    request.sender = alice;
    request.room = room;
    request.type = "m.room.message";
    request.content["body"] = std::to_string(i);
    request.transaction_path = "/send/" + std::to_string(i);
    spawn(reactor, kit.rooms->send(std::move(request)), [&](std::exception_ptr, Result<EventId> sent) {
      ASSERT_TRUE(sent);
      ids.insert(sent->str());
    });
  }
  reactor.restart();
  reactor.run();
  EXPECT_EQ(ids.size(), static_cast<std::size_t>(count));
  EXPECT_EQ(kit.hub->position() - before, count);
  auto events = kit.timeline(room);
  for (std::size_t i = 1; i < events.size(); ++i) {
    ASSERT_EQ(events[i]->event->prev_events().size(), 1u);
    EXPECT_EQ(events[i]->event->prev_events().front(), events[i - 1]->event->id());
    EXPECT_EQ(events[i]->event->depth(), events[i - 1]->event->depth() + 1);
  }
}

TEST_F(RoomsTest, send_with_same_transaction_returns_same_event_even_while_the_first_is_under_way) {
  const RoomId room = kit.create_public_room(alice);
  std::vector<EventId> ids;
  for (int i = 0; i < 3; ++i) {
    SendEvent request;
    request.sender = alice;
    request.room = room;
    request.type = "m.room.message";
    request.transaction_path = "/send/txn";
    spawn(reactor, kit.rooms->send(std::move(request)), [&](std::exception_ptr, Result<EventId> sent) {
      ASSERT_TRUE(sent);
      ids.push_back(*sent);
    });
  }
  const StreamPosition before = kit.hub->position();
  reactor.restart();
  reactor.run();
  EXPECT_EQ(kit.hub->position() - before, 1);
  kit.restart();
  ids.push_back(kit.send(alice, room, "again", "/send/txn").value());
  EXPECT_EQ(kit.hub->position() - before, 1);
  ASSERT_EQ(ids.size(), 4u);
  EXPECT_EQ(std::set<EventId>(ids.begin(), ids.end()).size(), 1u);
  const EventId other = kit.send(alice, room, "other", "/send/txn2").value();
  EXPECT_NE(other, ids.front());
  kit.restart();
  EXPECT_EQ(kit.send(alice, room, "again", "/send/txn").value(), ids.front());
  EXPECT_EQ(kit.send(alice, room, "other", "/send/txn2").value(), other) << "the second that a new life hears of";
}

TEST_F(RoomsTest, transactions_are_forgotten_when_they_are_old) {
  const RoomId room = kit.create_public_room(alice);
  const EventId old = kit.send(alice, room, "old", "/send/old").value();
  const auto age = [](db::Connection& c) { c.exec("update transactions set created_ts = created_ts - 86400000"); };
  kit.database->run_blocking(age);
  const EventId young = kit.send(alice, room, "young", "/send/young").value();
  kit.run(kit.rooms->delete_old_transactions(std::chrono::hours(24)));
  kit.restart();
  EXPECT_EQ(kit.send(alice, room, "young", "/send/young").value(), young);
  EXPECT_NE(kit.send(alice, room, "old", "/send/old").value(), old);
}

TEST_F(RoomsTest, a_table_of_transactions_is_walked_to_its_end) {
  const auto fill = [](db::Connection& c) {
    c.exec("insert into transactions select 1, gen_random_uuid(), 1, 0 from generate_series(1, 30000)");
  };
  kit.database->run_blocking(fill);
  kit.run(kit.rooms->delete_old_transactions(std::chrono::hours(24)));
  const auto left = [](db::Connection& c) { return c.exec("select count(*) from transactions")[0][0].as<int>(); };
  EXPECT_EQ(kit.database->run_blocking(left), 0);
}

TEST_F(RoomsTest, warm_send_asks_the_database_nothing_but_the_commit) {
  const RoomId room = kit.create_public_room(alice);
  ASSERT_TRUE(kit.send(alice, room, "first", "/send/1"));
  const auto before = kit.database->round_trips();
  ASSERT_TRUE(kit.send(alice, room, "second", "/send/2"));
  EXPECT_EQ(kit.database->round_trips() - before, 0u);
}

TEST_F(RoomsTest, a_new_profile_reaches_many_rooms_in_few_commits) {
  std::vector<RoomId> rooms;
  for (int i = 0; i < 40; ++i)
    rooms.push_back(kit.create_public_room(alice));
  const auto before = kit.writer->round_trips();
  kit.run(kit.rooms->update_profile_in_rooms(alice, "Alice", "mxc://a/b"));
  EXPECT_LT(kit.writer->round_trips() - before, rooms.size() / 2);
  for (const RoomId& room : rooms) {
    const auto state = kit.state(room);
    const EventPtr member = state.at("m.room.member|" + alice.user.str());
    EXPECT_EQ(value(member, "displayname"), "Alice");
    EXPECT_EQ(value(member, "avatar_url"), "mxc://a/b");
    EXPECT_EQ(value(member, "membership"), "join");
  }
}

// The profile is read, and the number of the new state key is made; the create event is known.
TEST_F(RoomsTest, a_join_of_a_warm_room_asks_the_database_for_the_profile_and_a_new_key) {
  const RoomId room = kit.create_public_room(alice);
  const auto before = kit.database->round_trips();
  ASSERT_TRUE(kit.join(bob, room));
  EXPECT_EQ(kit.database->round_trips() - before, 2u);
}

TEST_F(RoomsTest, banned_user_may_not_join_until_unbanned) {
  const RoomId room = kit.create_public_room(alice);
  ASSERT_TRUE(kit.join(bob, room));
  ASSERT_TRUE(kit.change(Kind::ban, alice, bob.user, room));
  auto refused = kit.join(bob, room);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  EXPECT_EQ(kit.send(bob, room, "hello").error().code, ErrorCode::forbidden);
  EXPECT_FALSE(kit.change(Kind::invite, alice, bob.user, room));
  ASSERT_TRUE(kit.change(Kind::unban, alice, bob.user, room));
  EXPECT_EQ(kit.change(Kind::unban, alice, bob.user, room).error().code, ErrorCode::forbidden);
  EXPECT_TRUE(kit.join(bob, room));
  EXPECT_EQ(kit.membership(room, bob.user), "join");
}

TEST_F(RoomsTest, membership_changes_follow_the_specification) {
  const RoomId room = kit.create_room(alice);
  EXPECT_EQ(kit.join(bob, room).error().code, ErrorCode::forbidden);
  EXPECT_EQ(kit.change(Kind::kick, alice, bob.user, room).error().code, ErrorCode::forbidden);
  ASSERT_TRUE(kit.change(Kind::invite, alice, bob.user, room));
  ASSERT_TRUE(kit.change(Kind::invite, alice, bob.user, room)) << "inviting twice is no error";
  ASSERT_TRUE(kit.join(bob, room));
  EXPECT_TRUE(kit.join(bob, room)) << "joining twice is no error";
  EXPECT_EQ(kit.change(Kind::kick, bob, alice.user, room).error().code, ErrorCode::forbidden);
  EXPECT_EQ(kit.run(kit.rooms->forget(bob, room)).error().status, 400u);
  ASSERT_TRUE(kit.change(Kind::leave, bob, bob.user, room));
  EXPECT_TRUE(kit.change(Kind::leave, bob, bob.user, room)) << "leaving twice is no error";
  ASSERT_TRUE(kit.run(kit.rooms->forget(bob, room)));
  EXPECT_FALSE(kit.run(kit.reader->membership(bob.nid, kit.room(room)->nid)));
  EXPECT_EQ(kit.change(Kind::leave, bob, bob.user, RoomId::trusted("!none:here.example")).error().code,
            ErrorCode::not_found);
}

TEST_F(RoomsTest, last_member_who_leaves_makes_the_room_one_this_server_is_not_in) {
  const RoomId room = kit.create_public_room(alice);
  EXPECT_TRUE(kit.room(room)->resident);
  ASSERT_TRUE(kit.change(Kind::leave, alice, alice.user, room));
  EXPECT_FALSE(kit.room(room)->resident);
  EXPECT_EQ(kit.send(alice, room, "anybody?").error().code, ErrorCode::forbidden);
}

TEST_F(RoomsTest, member_of_an_allowed_room_joins_a_restricted_one) {
  const RoomId space = kit.create_public_room(alice);
  const RoomId room = kit.create_public_room(alice);
  object condition{{"type", "m.room_membership"}, {"room_id", space.str()}};
  object rules{{"join_rule", "restricted"}};
  rules["allow"] = boost::json::array{condition};
  ASSERT_TRUE(kit.set_state(alice, room, "m.room.join_rules", "", rules));
  EXPECT_EQ(kit.join(bob, room).error().code, ErrorCode::forbidden);
  ASSERT_TRUE(kit.join(bob, space));
  ASSERT_TRUE(kit.join(bob, room));
  EXPECT_EQ(value(kit.state(room).at("m.room.member|" + bob.user.str()), "join_authorised_via_users_server"),
            alice.user.str());
}

TEST_F(RoomsTest, redaction_replaces_the_stored_bytes) {
  for (const char* version : {"1", "2", "3", "10", "12"}) {
    SCOPED_TRACE(version);
    const RoomId room = kit.create_public_room(alice, version);
    ASSERT_TRUE(kit.join(bob, room));
    const EventId secret = kit.send(bob, room, "secret").value();
    SendEvent redaction;
    redaction.sender = alice;
    redaction.room = room;
    redaction.type = "m.room.redaction";
    redaction.content["redacts"] = secret.str();
    auto redacted = kit.run(kit.rooms->send(redaction));
    ASSERT_TRUE(redacted);
    kit.restart();
    auto stored = kit.event(secret);
    EXPECT_TRUE(stored->has(db::EventFlags::redacted));
    EXPECT_EQ(stored->event->json().find("secret"), std::string::npos);
    EXPECT_EQ(stored->event->id(), secret);
    EXPECT_EQ(kit.event(*redacted)->event->redacts(), secret);
    EXPECT_EQ(kit.run(kit.events->redaction_of(secret))->event->id(), *redacted);
    const EventId other = kit.send(alice, room, "mine").value();
    redaction.sender = bob;
    redaction.content["redacts"] = other.str();
    EXPECT_EQ(kit.run(kit.rooms->send(redaction)).error().code, ErrorCode::forbidden);
  }
}

TEST_F(RoomsTest, state_set_to_what_it_is_makes_no_event) {
  const RoomId room = kit.create_public_room(alice);
  const EventId first = kit.set_state(alice, room, "m.room.topic", "", object{{"topic", "a"}}).value();
  EXPECT_EQ(kit.set_state(alice, room, "m.room.topic", "", object{{"topic", "a"}}).value(), first);
  EXPECT_NE(kit.set_state(alice, room, "m.room.topic", "", object{{"topic", "b"}}).value(), first);
}

TEST_F(RoomsTest, canonical_alias_must_lead_to_the_room) {
  const RoomId room = kit.create_public_room(alice);
  const RoomId other = kit.create_public_room(alice);
  const RoomAlias alias = RoomAlias::trusted("#name:here.example");
  EXPECT_EQ(kit.set_state(alice, room, "m.room.canonical_alias", "", object{{"alias", alias.str()}}).error().code,
            ErrorCode::bad_alias);
  ASSERT_TRUE(kit.run(kit.rooms->create_alias(alice, alias, room)));
  EXPECT_EQ(kit.run(kit.rooms->create_alias(alice, alias, other)).error().status, 409u);
  EXPECT_TRUE(kit.set_state(alice, room, "m.room.canonical_alias", "", object{{"alias", alias.str()}}));
  EXPECT_EQ(kit.set_state(alice, other, "m.room.canonical_alias", "", object{{"alias", alias.str()}}).error().code,
            ErrorCode::bad_alias);
  EXPECT_EQ(kit.run(kit.rooms->delete_alias(bob, alias)).error().code, ErrorCode::forbidden);
  ASSERT_TRUE(kit.run(kit.rooms->delete_alias(alice, alias)));
  EXPECT_EQ(kit.run(kit.rooms->resolve_alias(alias)).error().code, ErrorCode::not_found);
}

TEST_F(RoomsTest, types_and_state_keys_may_hold_nul) {
  const RoomId room = kit.create_public_room(alice);
  const std::string nul("a\0b", 3);
  ASSERT_TRUE(kit.set_state(alice, room, nul, nul, object{{"v", 1}}));
  kit.restart();
  EXPECT_TRUE(kit.state(room).contains(nul + "|" + nul));
}

}  // namespace
}  // namespace causeway::test
