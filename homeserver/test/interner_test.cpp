#include "homeserver/events/interner.hpp"

#include <gtest/gtest.h>

#include "homeserver/test/support/run_task.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway {
namespace {

class InternerTest : public ::testing::Test {
 protected:
  db::Settings settings() {
    db::Settings s;
    s.url = database_.url();
    return s;
  }
  static StateKey key(std::string type, std::string state_key) {
    StateKey k;
    k.type = std::move(type);
    k.state_key = std::move(state_key);
    return k;
  }

  test::TestDatabase database_;
  asio::io_context reactor_;
};

TEST_F(InternerTest, gives_the_same_numbers_after_a_restart) {
  const std::vector<UserId> users = {UserId::trusted("@a:one"), UserId::trusted("@b:two"), UserId::trusted("@a:one")};
  const std::vector<StateKey> keys = {key("m.room.name", ""), key("m.room.member", "@a:one")};
  std::vector<UserNid> user_nids;
  std::vector<StateKeyNid> key_nids;
  {
    db::Database database(settings());
    Interner interner(database);
    user_nids = test::run_task(reactor_, interner.users(users));
    key_nids = test::run_task(reactor_, interner.state_keys(keys));
    EXPECT_EQ(user_nids[0], user_nids[2]);
    EXPECT_NE(user_nids[0], user_nids[1]);
    EXPECT_EQ(interner.cached_state_key(keys[1].type, keys[1].state_key), key_nids[1]);
  }
  db::Database database(settings());
  Interner interner(database);
  EXPECT_EQ(interner.cached_state_key(keys[1].type, keys[1].state_key), std::nullopt);
  EXPECT_EQ(test::run_task(reactor_, interner.state_key_names(key_nids)), keys);
  EXPECT_EQ(test::run_task(reactor_, interner.users(users)), user_nids);
  EXPECT_EQ(test::run_task(reactor_, interner.state_keys(keys)), key_nids);
}

TEST_F(InternerTest, keeps_u_0000_in_types_and_state_keys) {
  using namespace std::string_literals;
  db::Database database(settings());
  const std::vector<StateKey> keys = {key("t\0one"s, "k\0"s), key("t\0two"s, "k\0"s), key("t"s, "k"s)};
  Interner interner(database);
  auto nids = test::run_task(reactor_, interner.state_keys(keys));
  EXPECT_EQ(std::set<StateKeyNid>(nids.begin(), nids.end()).size(), 3u);
  Interner after_restart(database);
  EXPECT_EQ(test::run_task(reactor_, after_restart.state_key_names(nids)), keys);
}

TEST_F(InternerTest, costs_one_round_trip_for_all_that_is_new_and_none_after) {
  db::Database database(settings());
  Interner interner(database);
  test::run_task(reactor_, interner.user(UserId::trusted("@warm:up")));
  const auto before = database.round_trips();
  const std::vector<UserId> users = {UserId::trusted("@x:s"), UserId::trusted("@y:s"), UserId::trusted("@warm:up")};
  test::run_task(reactor_, interner.users(users));
  test::run_task(reactor_, interner.users(users));
  EXPECT_LE(database.round_trips() - before, 1u);
}

TEST_F(InternerTest, never_gives_an_event_number_twice) {
  db::Database database(settings());
  std::set<EventNid> given;
  for (int restart = 0; restart < 2; ++restart) {
    Interner interner(database);
    auto take = [&]() -> Task<> {
      for (int i = 0; i < 1500; ++i) {
        EventNid nid = co_await interner.next_event();
        EXPECT_NE(nid, EventNid{});
        EXPECT_TRUE(given.insert(nid).second);
      }
    };
    test::run_task(reactor_, take());
  }
}

TEST_F(InternerTest, drops_the_least_recently_used_when_full_and_still_answers) {
  db::Database database(settings());
  Interner interner(database, 2);
  const StateKey a = key("m.x", "a"), b = key("m.x", "b"), c = key("m.x", "c");
  const StateKeyNid first = test::run_task(reactor_, interner.state_key(a));
  test::run_task(reactor_, interner.state_key(b));
  test::run_task(reactor_, interner.state_key(c));
  EXPECT_FALSE(interner.cached_state_key("m.x", "a"));
  EXPECT_TRUE(interner.cached_state_key("m.x", "c"));
  EXPECT_EQ(test::run_task(reactor_, interner.state_key(a)), first);
}

}  // namespace
}  // namespace causeway
