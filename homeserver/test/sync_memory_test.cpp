// The parts of /sync that live in memory: tokens, waiters, typing, versions of state, members told.
#include <gtest/gtest.h>

#include "homeserver/sync/notifier.hpp"
#include "homeserver/sync/sent_members.hpp"
#include "homeserver/sync/state_versions.hpp"
#include "homeserver/sync/sync_service.hpp"
#include "homeserver/sync/typing.hpp"

namespace causeway {
namespace {

using namespace std::chrono_literals;

constexpr RoomNid room{1}, other_room{2};
constexpr UserNid alice_nid{1}, bob_nid{2};
constexpr DeviceNid phone{1}, laptop{2};
const UserId alice = UserId::trusted("@alice:test"), bob = UserId::trusted("@bob:test");

TEST(SyncToken, survives_a_round_trip_and_converts_to_a_place_behind_its_position) {
  const SyncToken token{17, 4'000'000'000, 5};
  const auto read = SyncToken::parse(token.str());
  ASSERT_TRUE(read);
  EXPECT_EQ(read->position, 17);
  EXPECT_EQ(read->epoch, 4'000'000'000);
  EXPECT_EQ(read->ephemeral, 5u);
  const auto place = parse_pagination_token(token.str());
  ASSERT_TRUE(place);
  EXPECT_GT(*place, (OrderKey{17, 0}));
  EXPECT_LT(*place, (OrderKey{18, -1000}));
  EXPECT_EQ(*parse_pagination_token(pagination_token(OrderKey{9, -3})), (OrderKey{9, -3}));
}

TEST(SyncToken, anything_else_is_invalid_param) {
  for (const char* text : {"", "s", "s1_", "s1_1_2", "s1_1_2_3_4", "s1_1_2_3 ", "s1_-1_2_3", "s1_1_-2_3", "s2_1_2_3",
                           "s1_99999999999999999999_1_1", "t1_1_0", "garbage"}) {
    const auto token = SyncToken::parse(text);
    ASSERT_FALSE(token) << text;
    EXPECT_EQ(token.error().code, ErrorCode::invalid_param) << text;
  }
  EXPECT_FALSE(parse_pagination_token("t1_1"));
  EXPECT_FALSE(parse_pagination_token("t1_-1_0"));
}

class NotifierTest : public testing::Test {
 protected:
  // What a wait that starts now ends with; none while it waits.
  std::shared_ptr<std::optional<bool>> wait(UserNid user, Notifier::Ticket ticket, std::chrono::milliseconds timeout) {
    auto woken = std::make_shared<std::optional<bool>>();
    auto waiting = [](Notifier& n, UserNid u, Notifier::Ticket t, std::chrono::steady_clock::time_point until,
                      std::shared_ptr<std::optional<bool>> result) -> Task<> {
      *result = co_await n.wait(u, t, until);
    };
    spawn(reactor, waiting(notifier, user, ticket, std::chrono::steady_clock::now() + timeout, woken), asio::detached);
    reactor.poll();
    return woken;
  }

  asio::io_context reactor;
  Notifier notifier{reactor.get_executor()};
};

TEST_F(NotifierTest, wakes_the_user_it_is_told_and_nobody_else) {
  auto of_alice = wait(alice_nid, notifier.ticket(alice_nid), 1h);
  auto of_bob = wait(bob_nid, notifier.ticket(bob_nid), 1h);
  EXPECT_EQ(notifier.waiting(), 2u);
  notifier.wake(alice_nid);
  reactor.poll();
  EXPECT_EQ(*of_alice, true);
  EXPECT_FALSE(of_bob->has_value());
  EXPECT_EQ(notifier.waiting(), 1u);
  notifier.drain();
  reactor.poll();
  EXPECT_EQ(*of_bob, false);
}

TEST_F(NotifierTest, wake_between_ticket_and_wait_is_not_lost) {
  const auto ticket = notifier.ticket(alice_nid);
  notifier.wake(alice_nid);
  EXPECT_EQ(*wait(alice_nid, ticket, 1h), true);
}

TEST_F(NotifierTest, wake_between_ticket_and_wait_is_not_lost_when_many_others_look_meanwhile) {
  const auto ticket = notifier.ticket(alice_nid);
  constexpr std::int64_t others = 50'000;
  for (std::int64_t i = 0; i <= others; ++i)
    notifier.ticket(UserNid{100 + i});
  notifier.wake(alice_nid);
  EXPECT_EQ(*wait(alice_nid, ticket, 1h), true);
}

TEST_F(NotifierTest, wait_ends_when_the_time_is_up) {
  auto woken = wait(alice_nid, notifier.ticket(alice_nid), 1ms);
  reactor.restart();
  reactor.run();
  EXPECT_EQ(*woken, false);
}

class TypingTest : public testing::Test {
 protected:
  asio::io_context reactor;
  ManualClock clock;
  TypingService typing{reactor.get_executor(), clock, 7};
};

TEST_F(TypingTest, changes_are_told_once_and_in_order) {
  typing.set(room, alice, true, 30s, true);
  const auto first = typing.sequence();
  typing.set(room, alice, true, 30s, true);
  EXPECT_EQ(typing.sequence(), first) << "going on is no change";
  typing.set(other_room, bob, true, 30s, false);
  EXPECT_EQ(typing.rooms_changed(first), std::vector{other_room});
  EXPECT_EQ(typing.rooms_changed(0), (std::vector{room, other_room}));
  typing.set(room, alice, false, 0s, true);
  EXPECT_EQ(typing.rooms_changed(first), (std::vector{other_room, room}));
  EXPECT_TRUE(typing.in_room(room).empty());
  EXPECT_EQ(typing.in_room(other_room), std::vector{bob});
}

TEST_F(TypingTest, ends_by_itself_when_the_time_is_up) {
  bool ended = false;
  typing.add_listener([&](RoomNid, const UserId& user, bool is_typing, bool) {
    ended = user == alice && !is_typing;
    if (ended) reactor.stop();
  });
  typing.set(room, alice, true, 5ms, true);
  clock.advance(5ms);
  reactor.run();
  EXPECT_TRUE(ended);
  EXPECT_TRUE(typing.in_room(room).empty());
}

TEST_F(TypingTest, going_on_puts_the_end_off) {
  std::vector<UserId> ended;
  typing.add_listener([&](RoomNid, const UserId& user, bool is_typing, bool) {
    if (is_typing) return;
    ended.push_back(user);
    reactor.stop();
  });
  typing.set(room, alice, true, 5ms, true);
  typing.set(room, bob, true, 10ms, true);
  typing.set(room, alice, true, 60s, true);
  clock.advance(10ms);
  reactor.run();
  EXPECT_EQ(ended, std::vector{bob});
  EXPECT_EQ(typing.in_room(room), std::vector{alice});
}

Committed state_changed(StreamPosition position, std::int32_t from_version, std::int32_t version) {
  Committed facts;
  facts.until = position;
  facts.room = room;
  for (auto v = from_version; v <= version; ++v)
    facts.state.push_back({StateChange{0, v, StateKeyNid{v}, EventNid{v}}, position});
  facts.head.emplace();
  facts.head->state_version = version;
  return facts;
}

TEST(StateVersions, tell_the_version_in_force_at_any_position_of_this_life) {
  StreamHub hub;
  hub.start_at(100);
  StateVersions versions(hub);
  EXPECT_TRUE(versions.at(room, 100).known);
  EXPECT_FALSE(versions.at(room, 100).version) << "unchanged since then";
  EXPECT_FALSE(versions.at(room, 99).known);
  versions.append(state_changed(105, 4, 5));
  versions.append(state_changed(110, 6, 6));
  EXPECT_EQ(versions.at(room, 100).version, 3);
  EXPECT_EQ(versions.at(room, 104).version, 3);
  EXPECT_EQ(versions.at(room, 105).version, 5);
  EXPECT_EQ(versions.at(room, 200).version, 6);
  EXPECT_FALSE(versions.at(other_room, 200).version);
}

TEST(StateVersions, forget_the_oldest_when_there_are_too_many) {
  StreamHub hub;
  StateVersions versions(hub, StateVersions::room_bytes + 2 * StateVersions::step_bytes);
  for (int i = 1; i <= 3; ++i)
    versions.append(state_changed(i * 10, i, i));
  EXPECT_FALSE(versions.at(room, 9).known);
  EXPECT_EQ(versions.at(room, 10).version, 1);
  EXPECT_EQ(versions.at(room, 25).version, 2);
}

TEST(SentMembers, are_known_once_the_reply_was_seen) {
  SentMembers members;
  members.sent(phone, room, "@alice:test", 10);
  EXPECT_FALSE(members.knows(phone, room, "@alice:test", 9)) << "the reply may have been lost";
  EXPECT_TRUE(members.knows(phone, room, "@alice:test", 10));
  EXPECT_FALSE(members.knows(laptop, room, "@alice:test", 10));
  EXPECT_FALSE(members.knows(phone, other_room, "@alice:test", 10));
  members.forget(phone, room);
  EXPECT_FALSE(members.knows(phone, room, "@alice:test", 10));
}

TEST(SentMembers, are_bounded_in_bytes_for_each_device_and_for_all) {
  constexpr std::size_t each = 10'000;
  SentMembers members(3 * each, each);
  std::vector<std::string> users;
  for (int i = 0; i < 1'000; ++i)
    users.push_back("@" + std::string(200, 'u') + std::to_string(i) + ":test");
  const auto tell = [&](std::int64_t device, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      members.sent(DeviceNid{device}, room, users[i], 1);
      ASSERT_LE(members.bytes(), 3 * each);
    }
  };
  tell(1, users.size());
  EXPECT_TRUE(members.knows(DeviceNid{1}, room, users.back(), 1));
  EXPECT_FALSE(members.knows(DeviceNid{1}, room, users.front(), 1)) << "its own part is full";
  EXPECT_LE(members.bytes(), each);
  for (std::int64_t device = 2; device <= 20; ++device)
    tell(device, 20);
  EXPECT_FALSE(members.knows(DeviceNid{1}, room, users.back(), 1)) << "told least recently";
  EXPECT_TRUE(members.knows(DeviceNid{19}, room, users.front(), 1));
  for (std::int64_t device = 1; device <= 20; ++device)
    members.forget(DeviceNid{device});
  EXPECT_EQ(members.bytes(), 0u);
}

TEST(SentMembers, forgetting_rooms_gives_their_bytes_back) {
  SentMembers members;
  members.sent(phone, room, "@a:test", 1);
  const std::size_t one = members.bytes();
  members.sent(phone, other_room, "@with.a.longer.name.than.fits:test", 1);
  members.forget(phone, other_room);
  EXPECT_EQ(members.bytes(), one);
}

}  // namespace
}  // namespace causeway
