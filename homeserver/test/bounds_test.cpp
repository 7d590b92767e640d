// What reading for many rooms, or much of a few, takes at most.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "homeserver/test/support/sync_test.hpp"
#include "schema/db/tables/account_data.hpp"
#include "schema/db/tables/room_timelines.hpp"

namespace causeway::test {
namespace {

using boost::json::object;
using testing::ElementsAre;

class BoundsTest : public SyncTest {
 protected:
  // Where all that is in memory is so already.
  Result<std::string> sync_within(std::size_t max_reply_bytes, std::string filter = "") {
    SyncKit::Life& life = *kit.life;
    SyncService service(SyncServices{kit.database, kit.hub, life.reader, life.events, life.states, kit.interner,
                                     life.serializer, kit.accounts, life.receipts, life.typing, life.notifier,
                                     kit.clock, kit.metrics, max_reply_bytes});
    return kit.finish(service.sync(kit.request(alice, "", std::move(filter))));
  }
};

TEST_F(BoundsTest, members_of_many_rooms_are_read_in_parts_and_none_is_cut_off) {
  std::vector<RoomNid> rooms;
  std::map<RoomNid, std::map<std::string, std::optional<db::Membership>>> expected;
  for (const int members : {3, 1, 5, 2}) {
    ScriptedRoom room(kit, "r" + std::to_string(rooms.size()), alice);
    rooms.push_back(room.nid);
    auto& in_room = expected[room.nid];
    in_room[alice.id.str()] = db::Membership::join;
    for (int i = 1; i < members; ++i) {
      const Member member = kit.member("m" + std::to_string(rooms.size()) + std::to_string(i));
      room.membership(alice, member, i == 1 ? "invite" : "ban");
      in_room[member.id.str()] = i == 1 ? db::Membership::invite : db::Membership::ban;
    }
    using namespace std::string_literals;
    room.state(alice, "m.room.member", "@odd:test", {{"membership", "j\0in"s}, {"displayname", "\0"s}});
    in_room["@odd:test"] = std::nullopt;
  }
  for (const std::size_t at_once : {1u, 2u, 4u, 7u, 1000u}) {
    auto read = [&](db::Connection& connection) {
      std::map<RoomNid, std::map<std::string, std::optional<db::Membership>>> found;
      std::vector<db::MemberRow> rows;
      for (std::span<const RoomNid> left = rooms; !left.empty();) {
        const std::size_t complete = db::current_members(connection, left, at_once, rows);
        for (const auto& row : rows)
          EXPECT_TRUE(found[row.room].emplace(row.state_key, row.membership).second);
        left = left.subspan(complete);
      }
      return found;
    };
    EXPECT_EQ(kit.database.run_blocking(read), expected) << at_once;
  }
}

TEST_F(BoundsTest, timelines_of_many_rooms_are_bounded_in_bytes_from_memory_and_from_the_database) {
  ScriptedRoom room(kit, "r", alice), quiet(kit, "quiet", alice);
  for (int i = 0; i < 10; ++i)
    room.message(alice, std::to_string(i) + std::string(3'000, 'x'));
  StreamHub later;
  later.start_at(kit.hub.position());
  SyncKit::Life restarted(kit, later, 2);
  for (EventStore* store : {&kit.life->events, &restarted.events}) {
    auto read = [&](std::size_t rooms, std::size_t limit) {
      std::vector<EventStore::Span> spans(rooms);
      for (std::size_t i = 0; i < rooms; ++i)
        spans[i] = {RoomNid{static_cast<std::int64_t>(1'000'000 + i)}, 0, kit.hub.position()};
      spans[0].room = room.nid;
      spans[1].room = quiet.nid;
      return kit.finish(store->live_ranges(std::move(spans), limit));
    };
    EXPECT_EQ(read(2, 100)[0].events.size(), 15u) << "of two rooms that is little";
    auto ranges = read(3'000, 100);
    EXPECT_EQ(ranges[0].events.size(), 2u);
    EXPECT_TRUE(ranges[0].more_before);
    EXPECT_EQ(ranges[0].events.back()->position(),
              kit.finish(store->last_at(room.nid, kit.hub.position()))->position());
    EXPECT_EQ(ranges[1].events.size(), 5u);
    EXPECT_FALSE(ranges[1].more_before);
    EXPECT_EQ(read(3'000, 1)[0].events.size(), 1u);
  }
}

TEST_F(BoundsTest, reply_that_takes_too_much_memory_is_refused_and_a_filter_helps) {
  ScriptedRoom room(kit, "r", alice);
  for (int i = 0; i < 40; ++i)
    room.state(alice, "org.example.large", std::to_string(i), {{"text", std::string(40'000, 'x')}});
  const auto refused = sync_within(1 << 20);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::too_large);
  EXPECT_TRUE(sync_within(16 << 20));
  const auto filtered =
      sync_within(1 << 20, R"({"room":{"state":{"not_types":["org.example.*"]},"timeline":{"limit":1}}})");
  ASSERT_TRUE(filtered);
  EXPECT_TRUE(room_in(boost::json::parse(*filtered).as_object(), "join", room.id));
}

TEST_F(BoundsTest, account_data_beyond_the_bound_is_told_the_newest_first) {
  for (const char* type : {"a", "b", "c", "d"})
    ASSERT_TRUE(
        kit.finish(kit.accounts.set_account_data(alice.nid, RoomNid{}, type, {{"text", std::string(1'000, 'x')}})));
  auto types = [this](std::size_t bytes) {
    auto read = [&](db::Connection& c) { return db::account_data_changed(c, alice.nid, 0, kit.hub.position(), bytes); };
    std::vector<std::string> found;
    for (const auto& data : kit.database.run_blocking(read))
      found.push_back(data.type);
    return found;
  };
  EXPECT_THAT(types(3'000), ElementsAre("c", "d"));
  EXPECT_THAT(types(100'000), ElementsAre("a", "b", "c", "d"));
}

TEST_F(BoundsTest, first_sync_of_many_rooms_lets_others_run_in_between) {
  std::vector<std::unique_ptr<ScriptedRoom>> rooms;
  for (int i = 0; i < 250; ++i)
    rooms.push_back(std::make_unique<ScriptedRoom>(kit, "r" + std::to_string(i), alice));
  sync(alice);  // from now on nearly all of it comes from memory
  auto syncing = kit.start(kit.life->sync.sync(kit.request(alice)));
  int turns = 0;
  kit.drive([&] {
    ++turns;
    return syncing->done();
  });
  EXPECT_EQ(boost::json::parse(syncing->take().value()).at("rooms").at("join").as_object().size(), rooms.size());
  EXPECT_GT(turns, 20);
}

}  // namespace
}  // namespace causeway::test
