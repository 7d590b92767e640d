// The state timeline against naive full snapshots: rooms that fork, merge and get history from elsewhere, at random.
#include "homeserver/events/state_store.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "homeserver/test/support/run_task.hpp"
#include "schema/test/support/state_rows.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::test {
namespace {

using Entries = std::map<StateKeyNid, EventNid>;

Entries sorted(const StateMap& state) {
  return {state.begin(), state.end()};
}
Entries sorted(const std::vector<std::pair<StateKeyNid, EventNid>>& entries) {
  Entries out(entries.begin(), entries.end());
  EXPECT_EQ(out.size(), entries.size()) << "a key is named twice";
  return out;
}

Entries difference_of(const StateMap& from, const StateMap& to) {
  Entries out;
  for (const auto& [key, event] : to)
    if (!from.contains(key) || from.at(key) != event) out[key] = event;
  for (const auto& [key, event] : from)
    if (!to.contains(key)) out[key] = EventNid{};
  return out;
}

// Every version of every line of one room, whole, beside the rows that say the same.
class SnapshotRoom {
 public:
  SnapshotRoom(db::Connection& connection, RoomNid room, unsigned seed)
      : connection_(connection), room_(room), random_(seed) {
    lines_.push_back({StateMap()});
  }

  void step() {
    switch (roll(8)) {
      case 0:
        return start_line(some_ref());  // a fork
      case 1:
        return roll(3) == 0 ? start_line(std::nullopt) : start_line(some_ref());  // a snapshot from elsewhere
      case 2:
        return merge_into(0, snapshot(some_ref()));
      default:
        return change(static_cast<std::int32_t>(roll(lines_.size())));
    }
  }

  StateRef some_ref() {
    const std::size_t line = roll(3) == 0 ? 0 : roll(lines_.size());
    return {static_cast<std::int32_t>(line), static_cast<std::int32_t>(roll(lines_[line].size()))};
  }
  const StateMap& snapshot(StateRef ref) const { return lines_[ref.line][ref.version]; }
  std::size_t roll(std::size_t sides) { return random_() % sides; }
  StateKeyNid some_key() { return StateKeyNid{static_cast<std::int64_t>(1 + roll(12))}; }

 private:
  EventNid some_event() { return EventNid{static_cast<std::int64_t>(1 + roll(1000))}; }

  void start_line(std::optional<StateRef> parent) {
    const auto line = static_cast<std::int32_t>(lines_.size());
    std::optional<std::pair<std::int32_t, std::int32_t>> row;
    if (parent) row.emplace(parent->line, parent->version);
    insert_state_line(connection_, room_, line, row);
    lines_.push_back({parent ? snapshot(*parent) : StateMap()});
    change(line);
  }
  // A new version with up to four keys set, taken away or given back to an earlier holder.
  void change(std::int32_t line) {
    StateMap next = lines_[line].back();
    for (std::size_t i = 0; i <= roll(4); ++i) {
      const StateKeyNid key = some_key();
      const StateMap& earlier = lines_[line][roll(lines_[line].size())];
      const auto before = earlier.find(key);
      if (roll(4) == 0)
        next.erase(key);
      else
        next[key] = roll(3) == 0 && before != earlier.end() ? before->second : some_event();
    }
    merge_into(line, next);
  }
  void merge_into(std::int32_t line, StateMap next) {
    const auto version = static_cast<std::int32_t>(lines_[line].size());
    for (const auto& [key, event] : difference_of(lines_[line].back(), next))
      insert_state_change(connection_, room_, line, version, key, event);
    lines_[line].push_back(std::move(next));
  }

  db::Connection& connection_;
  RoomNid room_;
  std::mt19937 random_;
  std::vector<std::vector<StateMap>> lines_;  // [line][version]
};

class StateStoreTest : public testing::Test {
 protected:
  StateStoreTest() : writing_(test_database_.url()), database_(settings()) {}
  db::Settings settings() {
    db::Settings s;
    s.url = test_database_.url();
    s.connections = 1;
    return s;
  }
  template <class T>
  T run(Task<T> task) {
    return run_task(reactor_, std::move(task));
  }
  std::uint64_t round_trips_of(Task<StateMapPtr> task) {
    const auto before = database_.round_trips();
    run(std::move(task));
    return database_.round_trips() - before;
  }

  TestDatabase test_database_{test::Rows::by_hand};
  db::Connection writing_;
  db::Database database_;
  asio::io_context reactor_;
};

class RandomStateStoreTest : public StateStoreTest {
 protected:
  void compare(StateStore& store, RoomNid nid, SnapshotRoom& room) {
    const StateRef ref = room.some_ref();
    const StateMap& expected = room.snapshot(ref);
    SCOPED_TRACE("line " + std::to_string(ref.line) + " version " + std::to_string(ref.version));
    std::vector<StateKeyNid> keys;
    std::vector<EventNid> holders;
    for (std::size_t i = 0; i < room.roll(6); ++i) {
      keys.push_back(room.some_key());
      holders.push_back(expected.contains(keys.back()) ? expected.at(keys.back()) : EventNid{});
    }
    ASSERT_EQ(run(store.lookup(nid, ref, keys)), holders);
    if (room.roll(2)) {
      ASSERT_EQ(sorted(*run(store.at(nid, ref))), sorted(expected));
    }
    const StateRef other = room.some_ref();
    ASSERT_EQ(sorted(run(store.difference(nid, ref, other))), difference_of(expected, room.snapshot(other)));
    compare_changes(store, nid, room, ref);
  }
  // Changes may name a key that came back to whom it had below the line, but what they name they name right.
  void compare_changes(StateStore& store, RoomNid nid, SnapshotRoom& room, StateRef to) {
    const auto from = static_cast<std::int32_t>(room.roll(static_cast<std::size_t>(to.version) + 1));
    StateMap state = room.snapshot({to.line, from});
    for (const auto& [key, event] : sorted(run(store.changed(nid, to.line, from, to.version)))) {
      if (to.line == 0) {
        EXPECT_NE(state.contains(key) ? state[key] : EventNid{}, event) << "unchanged";
      }
      state.erase(key);
      if (event != EventNid{}) state[key] = event;
    }
    ASSERT_EQ(sorted(state), sorted(room.snapshot(to)));
  }
};

TEST_F(RandomStateStoreTest, every_version_of_every_line_is_what_a_snapshot_would_be) {
  const unsigned first_seed = std::random_device{}();
  for (unsigned seed = first_seed; seed < first_seed + 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const RoomNid nid{static_cast<std::int64_t>(seed) + 1};
    SnapshotRoom room(writing_, nid, seed);
    StateStore roomy(database_);
    StateStore cramped(database_, 25);
    for (int step = 0; step < 60; ++step) {
      room.step();
      StateStore cold(database_);
      for (StateStore* store : {&roomy, &cramped, &cold}) {
        compare(*store, nid, room);
        if (HasFatalFailure()) return;
      }
    }
  }
}

TEST_F(StateStoreTest, rooms_do_not_see_each_other) {
  insert_state_change(writing_, RoomNid{1}, 0, 1, StateKeyNid{1}, EventNid{11});
  insert_state_change(writing_, RoomNid{2}, 0, 1, StateKeyNid{1}, EventNid{22});
  StateStore store(database_);
  EXPECT_EQ(sorted(*run(store.at(RoomNid{1}, {0, 1}))), (Entries{{StateKeyNid{1}, EventNid{11}}}));
  EXPECT_EQ(sorted(*run(store.at(RoomNid{2}, {0, 1}))), (Entries{{StateKeyNid{1}, EventNid{22}}}));
}

TEST_F(StateStoreTest, one_round_trip_for_a_state_and_none_when_it_is_cached) {
  const RoomNid room{1};
  insert_state_change(writing_, room, 0, 1, StateKeyNid{1}, EventNid{11});
  insert_state_line(writing_, room, 1, std::pair{0, 1});
  insert_state_line(writing_, room, 2, std::pair{1, 0});
  insert_state_change(writing_, room, 2, 1, StateKeyNid{2}, EventNid{12});
  StateStore warm_up(database_);  // the first use of a statement prepares it
  run(warm_up.at(room, {2, 1}));
  StateStore store(database_);
  EXPECT_EQ(round_trips_of(store.at(room, {2, 1})), 1u);
  EXPECT_EQ(round_trips_of(store.at(room, {2, 1})), 0u);
  const auto before = database_.round_trips();
  run(store.lookup(room, {2, 1}, {StateKeyNid{1}, StateKeyNid{2}}));
  EXPECT_EQ(database_.round_trips(), before);
}

TEST_F(StateStoreTest, a_later_version_is_read_as_a_change_of_a_cached_one) {
  const RoomNid room{1};
  insert_state_change(writing_, room, 0, 1, StateKeyNid{1}, EventNid{11});
  StateStore store(database_);
  run(store.at(room, {0, 1}));
  // A row that breaks the rule that the past does not change shows that it is not read again.
  insert_state_change(writing_, room, 0, 1, StateKeyNid{2}, EventNid{12});
  insert_state_change(writing_, room, 0, 2, StateKeyNid{3}, EventNid{13});
  EXPECT_EQ(sorted(*run(store.at(room, {0, 2}))),
            (Entries{{StateKeyNid{1}, EventNid{11}}, {StateKeyNid{3}, EventNid{13}}}));
}

TEST_F(StateStoreTest, who_asks_at_the_same_time_shares_one_read) {
  insert_state_change(writing_, RoomNid{1}, 0, 1, StateKeyNid{1}, EventNid{11});
  StateStore warm_up(database_);
  run(warm_up.at(RoomNid{1}, {0, 1}));
  StateStore store(database_);
  const auto before = database_.round_trips();
  int answered = 0;
  for (int i = 0; i < 10; ++i)
    spawn(reactor_, store.at(RoomNid{1}, {0, 1}), [&](std::exception_ptr error, StateMapPtr state) {
      EXPECT_FALSE(error);
      answered += state && state->size() == 1;
    });
  reactor_.restart();
  reactor_.run();
  EXPECT_EQ(answered, 10);
  EXPECT_EQ(database_.round_trips(), before + 1);
}

TEST_F(StateStoreTest, a_line_cannot_come_from_itself_or_a_later_one) {
  EXPECT_THROW(insert_state_line(writing_, RoomNid{1}, 1, std::pair{1, 0}), pqxx::sql_error);
  EXPECT_THROW(insert_state_line(writing_, RoomNid{1}, 1, std::pair{2, 0}), pqxx::sql_error);
}

}  // namespace
}  // namespace causeway::test
