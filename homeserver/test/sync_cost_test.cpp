// Who is woken, and what answering costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/test/support/sync_test.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using boost::json::object;
using testing::ElementsAre;

constexpr const char* lazy_filter = R"({"room":{"state":{"lazy_load_members":true}}})";

class SyncCostTest : public SyncTest {};

Task<Result<>> still_open(AccountService& accounts, std::string token) {
  const auto requester = co_await accounts.authenticate_token(std::move(token));
  co_return requester ? Result<>() : Result<>(requester.error());
}

TEST_F(SyncCostTest, idle_sync_asks_the_database_nothing) {
  ScriptedRoom room(kit, "r", alice);
  const auto since = next_batch(sync(alice));
  object reply;
  EXPECT_EQ(kit.round_trips_of([&] { reply = sync(alice, since); }), 0u);
  EXPECT_FALSE(reply.contains("rooms"));
}

TEST_F(SyncCostTest, waiter_is_woken_by_a_message_and_answered_from_memory) {
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

TEST_F(SyncCostTest, waiter_whose_session_ends_is_told_so_and_others_of_the_user_wait_on) {
  kit.accounts.on_sessions_ended([this](UserNid user) { kit.life->notifier.wake(user); });
  const Login tablet = kit.log_in(alice.id, "TABLET"), laptop = kit.log_in(alice.id, "LAPTOP");
  const auto on_tablet_as = kit.authenticate(tablet.access_token).value();
  const auto on_laptop_as = kit.authenticate(laptop.access_token).value();
  auto wait = [this, since = next_batch(sync(alice))](const http::Requester& requester, const Login& login) {
    auto request = kit.request(alice, since);
    request.viewer = viewer_of(requester);
    request.timeout = 60s;
    request.check_session = [this, token = login.access_token]() { return still_open(kit.accounts, token); };
    return kit.start(kit.life->sync.sync(std::move(request)));
  };
  auto on_tablet = wait(on_tablet_as, tablet);
  auto on_laptop = wait(on_laptop_as, laptop);
  kit.drive_until_waiting(2);
  auto log_out = [this](http::Requester requester) -> Task<bool> {
    auto ended = co_await kit.accounts.log_out(std::move(requester));
    EXPECT_TRUE(ended);
    co_return true;
  };
  kit.finish(log_out(on_tablet_as));
  kit.drive([&] { return on_tablet->done(); });
  EXPECT_EQ(on_tablet->take().error().code, ErrorCode::unknown_token);
  kit.drive_until_waiting(1);
  EXPECT_FALSE(on_laptop->done());
  kit.finish(log_out(on_laptop_as));
  kit.drive([&] { return on_laptop->done(); });
  EXPECT_EQ(on_laptop->take().error().code, ErrorCode::unknown_token);
}

TEST_F(SyncCostTest, waiters_of_other_rooms_sleep_on) {
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

TEST_F(SyncCostTest, waiter_is_woken_by_what_concerns_its_user) {
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

TEST_F(SyncCostTest, initial_sync_of_many_rooms_takes_a_handful_of_round_trips) {
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
