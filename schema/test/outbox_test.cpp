// What a destination is owed, straight from the tables.
#include <gtest/gtest.h>

#include "schema/db/tables/destinations.hpp"
#include "schema/db/tables/enums.hpp"
#include "schema/db/tables/staged_pdus.hpp"
#include "schema/test/support/test_database.hpp"

namespace causeway::db {
namespace {

constexpr ServerNid us{1}, peer{2};

struct OutboxTest : testing::Test {
  OutboxTest() {
    for (const char* name : {"us", "peer"})
      c.exec("insert into servers (name) values ($1)", Bytes(name));
    c.exec("insert into users (user_id, server_nid) values ($1, 1)", Bytes("@a:us"));
    c.exec("insert into users (user_id, server_nid) values ($1, 2)", Bytes("@b:peer"));
  }
  void event(StreamPosition position, int room, EventFlags flags = EventFlags::local, int sender = 1) {
    const std::string id = EventId::trusted("$" + std::to_string(position)).to_db();
    c.exec(
        "insert into events (event_nid, room_nid, anchor, sender_nid, flags, event_id, json) "
        "values ($1, $2, $1, $3, $4, $5, $6)",
        position, room, sender, flags, Bytes(id), Bytes("{\"p\":" + std::to_string(position) + "}"));
  }
  void stay(int room, StreamPosition from, StreamPosition to = std::numeric_limits<StreamPosition>::max()) {
    c.exec("insert into room_servers (server_nid, room_nid, from_position, to_position) values (2, $1, $2, $3)", room,
           from, to);
  }
  std::vector<StreamPosition> owed(StreamPosition after, StreamPosition until = 1'000, std::size_t limit = 50) {
    std::vector<StreamPosition> positions;
    for (const auto& row : outbox(c, peer, after, until, limit))
      positions.push_back(row.position);
    return positions;
  }
  // How many rows of the table a query looks at.
  std::int64_t events_read(const std::function<void(Connection&)>& query) {
    std::int64_t rows = 0;
    c.transaction([&](Connection& inside) {
      query(inside);
      rows = inside
                 .exec(
                     "select coalesce(idx_tup_fetch, 0) + seq_tup_read from pg_stat_xact_user_tables "
                     "where relname = 'events'")[0][0]
                 .as<std::int64_t>();
    });
    return rows;
  }
  using Positions = std::vector<StreamPosition>;

  test::TestDatabase database{test::Rows::by_hand};
  Connection c{database.url()};
};

TEST_F(OutboxTest, holds_local_events_of_rooms_the_server_is_in_by_position) {
  stay(10, 0);
  stay(20, 0);
  for (auto [position, room] : {std::pair{5, 20}, {1, 10}, {3, 20}, {2, 30}})
    event(position, room);
  event(6, 10, EventFlags::none);
  event(7, 10, EventFlags::local | EventFlags::rejected);
  event(8, 10, EventFlags::local | EventFlags::soft_failed);
  event(9, 10, EventFlags::local, 2);
  EXPECT_EQ(owed(0), (Positions{1, 3, 5}));
  EXPECT_EQ(owed(1), (Positions{3, 5}));
  EXPECT_EQ(owed(0, 3), (Positions{1, 3}));
  EXPECT_EQ(owed(0, 1'000, 2), (Positions{1, 3}));
}

TEST_F(OutboxTest, includes_the_event_that_removed_the_server_but_not_the_one_that_brought_it) {
  stay(10, 2, 4);
  stay(10, 6);
  for (int position = 1; position <= 8; ++position)
    event(position, 10);
  EXPECT_EQ(owed(0), (Positions{3, 4, 7, 8}));
}

TEST_F(OutboxTest, includes_single_events_owed_to_a_server_outside_the_room_once) {
  stay(20, 0);
  event(1, 10);
  event(2, 20);
  for (int position : {1, 2})
    c.exec("insert into outbox_extra values (2, $1)", position);
  EXPECT_EQ(owed(0), (Positions{1, 2}));
  std::vector<DestinationRow> rows;
  rows.push_back({peer, 1, 0, 0});
  save_destinations(c, rows);
  EXPECT_EQ(c.exec("select position from outbox_extra").size(), 1u);
}

// Else a destination that is far behind gets slower the more it is owed, and never catches up.
TEST_F(OutboxTest, reads_no_more_events_than_it_returns_however_much_is_owed) {
  stay(10, 0);
  c.exec(
      "insert into events (event_nid, room_nid, anchor, sender_nid, flags, event_id, json) "
      "select n, 10, n, 1, 8, int8send(n), '{}' from generate_series(1::bigint, 20000) n");
  std::size_t found = 0;
  EXPECT_LE(events_read([&](Connection& inside) { found = outbox(inside, peer, 5'000, 20'000, 50).size(); }), 100);
  EXPECT_EQ(found, 50u);
}

TEST_F(OutboxTest, looks_once_at_what_others_sent_to_a_room_however_many_servers_are_in_it) {
  event(1, 10);
  c.exec(
      "insert into events (event_nid, room_nid, anchor, sender_nid, flags, event_id, json) "
      "select n, 10, n, 2, 0, int8send(n), '{}' from generate_series(2::bigint, 1000) n");
  c.exec("insert into servers (name) select int8send(n) from generate_series(1::bigint, 100) n");
  c.exec(
      "insert into room_servers (server_nid, room_nid, from_position, to_position) "
      "select server_nid, 10, 0, 9223372036854775807 from servers where server_nid > 1");
  c.exec(
      "insert into destinations (server_nid, cursor, retry_interval_ms, retry_at_ts) "
      "select server_nid, 1, 0, 0 from servers where server_nid > 3");
  std::vector<ServerNid> found;
  EXPECT_LE(events_read([&](Connection& inside) { found = servers_owed(inside, ServerNid{0}, 1'000, 100); }), 2'000);
  EXPECT_EQ(found, (std::vector<ServerNid>{ServerNid{2}, ServerNid{3}}));
}

TEST_F(OutboxTest, servers_owed_are_those_with_something_after_their_cursor) {
  stay(10, 0);
  event(5, 10);
  EXPECT_EQ(servers_owed(c, ServerNid{0}, 10, 100), std::vector<ServerNid>{peer});
  EXPECT_TRUE(servers_owed(c, peer, 10, 100).empty());
  EXPECT_TRUE(servers_owed(c, ServerNid{0}, 4, 100).empty());
  std::vector<DestinationRow> rows;
  rows.push_back({peer, 5, 0, 0});
  save_destinations(c, rows);
  EXPECT_TRUE(servers_owed(c, ServerNid{0}, 10, 100).empty());
}

TEST_F(OutboxTest, a_server_that_left_is_owed_what_came_before_and_no_more) {
  stay(10, 0, 3);
  stay(20, 4, 6);
  event(2, 20);
  event(7, 20);
  event(9, 10);
  EXPECT_TRUE(servers_owed(c, ServerNid{0}, 20, 100).empty());
  event(5, 20);
  EXPECT_EQ(servers_owed(c, ServerNid{0}, 20, 100), std::vector<ServerNid>{peer});
  c.exec("delete from room_servers where room_nid = 20");
  c.exec("insert into outbox_extra values (2, 9)");
  EXPECT_EQ(servers_owed(c, ServerNid{0}, 20, 100), std::vector<ServerNid>{peer});
}

TEST_F(OutboxTest, a_cursor_never_goes_back_and_backoff_is_kept) {
  std::vector<DestinationRow> rows;
  rows.push_back({peer, 5, 2'000, 77});
  save_destinations(c, rows);
  rows.front().cursor = 3;
  save_destinations(c, rows);
  std::vector<ServerNid> both = {us, peer};
  const auto loaded = load_destinations(c, both);
  ASSERT_EQ(loaded.size(), 1u);
  EXPECT_EQ(loaded[0].cursor, 5);
  EXPECT_EQ(loaded[0].retry_interval_ms, 2'000);
  EXPECT_EQ(loaded[0].retry_at_ts, 77);
}

TEST_F(OutboxTest, receipts_of_our_users_are_owed_to_servers_that_are_in_the_room_now) {
  c.exec("insert into rooms (room_nid, room_id, version, resident, created_ts) values (10, $1, '11', true, 0)",
         Bytes("!r:us"));
  const std::string event_id = EventId::trusted("$e").to_db();
  for (int user : {1, 2})
    c.exec("insert into receipts values (10, $1, 'm.read', '', $2, 77, 5)", user, Bytes(event_id));
  EXPECT_TRUE(receipts_owed(c, us, peer, 0, 10, 100).empty());
  stay(10, 0);
  const auto owed_receipts = receipts_owed(c, us, peer, 0, 10, 100);
  ASSERT_EQ(owed_receipts.size(), 1u);
  EXPECT_EQ(owed_receipts[0].user.str(), "@a:us");
  EXPECT_EQ(owed_receipts[0].room.str(), "!r:us");
  EXPECT_EQ(owed_receipts[0].event.str(), "$e");
  EXPECT_TRUE(receipts_owed(c, us, peer, 5, 10, 100).empty());
}

TEST_F(OutboxTest, staged_pdus_are_bounded_per_room_and_kept_in_order) {
  StagedPdu pdu;
  pdu.room_id = RoomId::trusted("!r:peer");
  pdu.origin = ServerName::trusted("peer");
  pdu.json = std::string("{\"a\":\"\0\"}", 9);
  std::vector<bool> staged;
  for (const char* id : {"$1", "$2", "$2", "$3"}) {
    pdu.event_id = EventId::trusted(id);
    staged.push_back(stage_pdu(c, pdu, 2, 2));
  }
  EXPECT_EQ(staged, (std::vector<bool>{true, true, true, false}));
  const auto found = staged_pdus(c, pdu.room_id, {}, 10);
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].event_id.str(), "$1");
  EXPECT_EQ(found[0].json, pdu.json);
  EXPECT_EQ(rooms_with_staged_pdus(c, "", 10).size(), 1u);
  std::vector<EventId> ids = {found[0].event_id, found[1].event_id};
  unstage_pdus(c, ids);
  EXPECT_TRUE(rooms_with_staged_pdus(c, "", 10).empty());
}

}  // namespace
}  // namespace causeway::db
