// Rooms that everybody here has forgotten, and rooms that are known by hearsay.
#include "homeserver/test/support/federated_rooms.hpp"
#include "schema/db/tables/room_purges.hpp"

namespace causeway::test {
namespace {

using namespace std::chrono_literals;
using boost::json::object;
using Kind = ChangeMembership::Kind;

struct PurgingTest : FederatedRoomsTest {
  const Sender dave = there.user("dave");

  // A room with a fork, backfill, a redaction, a receipt and account data on the server that will forget it.
  void start_with_all_kinds_of_data() {
    room = here.create_public_room(alice);
    for (int i = 0; i < 5; ++i)
      ASSERT_TRUE(here.send(alice, room, std::to_string(i)));
    ASSERT_TRUE(there.join(bob, room, {here.self.name}));
    there.run(there.rooms->backfill(there.room(room), *there.timeline(room).front()->order, 3));
    const EventId base = there.timeline(room).back()->event->id();
    ASSERT_TRUE(there.send(bob, room, "mine"));
    ASSERT_EQ(deliver(there, here, base).result, Received::duplicate);
    ASSERT_TRUE(here.set_state(alice, room, "m.room.topic", "", object{{"topic", "a fork"}}));
    ASSERT_EQ(deliver(here, there, here.timeline(room).back()->event->id()).result, Received::accepted);
    SendEvent redaction;
    redaction.sender = bob;
    redaction.room = room;
    redaction.type = "m.room.redaction";
    redaction.redacts = there.send(bob, room, "secret").value();
    ASSERT_TRUE(there.run(there.rooms->send(std::move(redaction))));
    write_extras();
  }
  void write_extras() {
    const RoomNid nid = there.room(room)->nid;
    auto unit = std::make_shared<WriteUnit>();
    db::AccountDataChange data;
    data.user = bob.nid;
    data.room = nid;
    data.type = "m.tag";
    data.content_json = "{}";
    unit->changes.emplace_back(data);
    db::ReceiptChange receipt;
    receipt.room = nid;
    receipt.room_id = room;
    receipt.user = bob.nid;
    receipt.user_id = bob.user;
    receipt.receipt_type = "m.read";
    receipt.event_id = there.timeline(room).back()->event->id();
    unit->changes.emplace_back(receipt);
    ASSERT_TRUE(there.run(there.writer->commit(unit)));
    auto stage = [room = room](db::Connection& c) {
      c.exec("insert into staged_pdus (event_id, room_id, origin, json, received_ts) values ('x', $1, 'o', '{}', 0)",
             db::Bytes(room.str()));
    };
    there.database->run_blocking(std::move(stage));
    RoomAlias alias = RoomAlias::parse("#name:" + there.self.name.str()).value();
    ASSERT_TRUE(there.run(there.rooms->create_alias(bob, alias, room)));
  }

  void leave_and_forget(const Sender& user) {
    ASSERT_TRUE(there.change(Kind::leave, user, user.user, room));
    if (auto info = there.room(room); !info->resident)
      (void)deliver(there, here, there.timeline(room).back()->event->id());
    ASSERT_TRUE(there.run(there.rooms->forget(user, room)));
  }
  std::size_t purge() { return there.run(there.rooms->purge_forgotten_rooms(0ms)); }

  // Rows of one room by table.
  using Rows = std::map<std::string, std::int64_t>;
  Rows rows_of(RoomNid nid) {
    auto count = [nid, id = room](db::Connection& c) {
      Rows rows;
      const auto note = [&](const char* table, const pqxx::result& result) {
        if (auto n = result[0][0].as<std::int64_t>()) rows[table] = n;
      };
      note("rooms", c.exec("select count(*) from rooms where room_nid = $1", nid));
      note("events", c.exec("select count(*) from events where room_nid = $1", nid));
      note("room_state", c.exec("select count(*) from room_state where room_nid = $1", nid));
      note("state_lines", c.exec("select count(*) from state_lines where room_nid = $1", nid));
      note("gaps", c.exec("select count(*) from gaps where room_nid = $1", nid));
      note("late_events", c.exec("select count(*) from late_events where room_nid = $1", nid));
      note("redactions", c.exec("select count(*) from redactions r where exists (select from events e"
                                " where e.event_nid = r.redaction_nid and e.room_nid = $1)"
                                " or not exists (select from events e where e.event_nid = r.redaction_nid)",
                                nid));
      note("memberships", c.exec("select count(*) from memberships where room_nid = $1", nid));
      note("room_servers", c.exec("select count(*) from room_servers where room_nid = $1", nid));
      note("receipts", c.exec("select count(*) from receipts where room_nid = $1", nid));
      note("account_data", c.exec("select count(*) from account_data where room_nid = $1", nid));
      note("aliases", c.exec("select count(*) from aliases where room_nid = $1", nid));
      note("staged_pdus", c.exec("select count(*) from staged_pdus where room_id = $1", db::Bytes(id.str())));
      note("room_purges", c.exec("select count(*) from room_purges where room_nid = $1", nid));
      return rows;
    };
    return there.database->run_blocking(std::move(count));
  }
  void expect_clean_rejoin(RoomNid before) {
    auto joined = there.join(bob, room, {here.self.name});
    ASSERT_TRUE(joined) << joined.error().message;
    EXPECT_NE(there.room(room)->nid, before);
    EXPECT_EQ(rows_of(before), Rows{});
    EXPECT_EQ(state_ids(here), state_ids(there));
    EXPECT_EQ(there.timeline(room).size(), 1u) << "only the join";
    there.run(there.rooms->backfill(there.room(room), *there.timeline(room).front()->order, 100));
    EXPECT_EQ(there.timeline(room).front()->event->type(), "m.room.create");
    const EventId sent = there.send(bob, room, "again").value();
    EXPECT_EQ(deliver(there, here, sent).result, Received::accepted);
    there.restart();
    EXPECT_EQ(state_ids(here), state_ids(there));
  }
};

TEST_F(PurgingTest, nothing_is_left_of_a_room_that_all_have_forgotten_and_it_can_be_joined_anew) {
  start_with_all_kinds_of_data();
  const RoomNid nid = there.room(room)->nid;
  EXPECT_GE(rows_of(nid).size(), 11u);
  leave_and_forget(bob);
  EXPECT_EQ(rows_of(nid)["room_purges"], 1);
  EXPECT_EQ(there.run(there.rooms->purge_forgotten_rooms(24h)), 0u) << "it was forgotten just now";
  EXPECT_EQ(purge(), 1u);
  EXPECT_EQ(rows_of(nid), Rows{});
  EXPECT_EQ(there.room(room), nullptr);
  EXPECT_EQ(purge(), 0u);
  expect_clean_rejoin(nid);
}

TEST_F(PurgingTest, a_room_stays_as_long_as_somebody_is_in_it_invited_to_it_or_has_not_forgotten_it) {
  start("12");
  ASSERT_TRUE(there.join(dave, room));
  const RoomNid nid = there.room(room)->nid;
  leave_and_forget(bob);
  EXPECT_EQ(purge(), 0u) << "dave is in it";
  ASSERT_TRUE(there.change(Kind::leave, dave, dave.user, room));
  EXPECT_EQ(purge(), 0u) << "dave may look at what was";
  for (const auto& event : there.timeline(room))
    (void)deliver(there, here, event->event->id());
  ASSERT_TRUE(there.run(there.rooms->forget(dave, room)));
  ASSERT_TRUE(here.change(Kind::invite, alice, bob.user, room)) << "again";
  EXPECT_EQ(purge(), 0u) << "bob is invited";
  EXPECT_EQ(there.room(room)->nid, nid);
  ASSERT_TRUE(there.change(Kind::leave, bob, bob.user, room));
  ASSERT_TRUE(there.run(there.rooms->forget(bob, room)));
  EXPECT_EQ(purge(), 1u);
  EXPECT_EQ(rows_of(nid), Rows{});
}

TEST_F(PurgingTest, a_purge_that_was_cut_short_anywhere_goes_on_with_the_next_start) {
  for (const std::size_t steps : {0u, 1u, 4u, 7u}) {
    SCOPED_TRACE(steps);
    start_with_all_kinds_of_data();
    const RoomNid nid = there.room(room)->nid;
    leave_and_forget(bob);
    auto cut_short = [nid, steps, me = there.writer->id()](db::Connection& c) {
      const auto begun = db::begin_room_purge(c, me, nid, db::PurgeIf::forgotten);
      for (std::size_t i = 0; i < steps; ++i)
        (void)db::purge_room(c, nid, 3);
      return begun;
    };
    ASSERT_EQ(there.database->run_blocking(std::move(cut_short)), db::PurgeBegun::yes);
    there.restart();
    EXPECT_EQ(there.room(room), nullptr);
    EXPECT_EQ(purge(), 1u);
    EXPECT_EQ(rows_of(nid), Rows{});
  }
}

TEST_F(PurgingTest, who_joins_while_a_purge_is_under_way_finds_a_clean_room) {
  start_with_all_kinds_of_data();
  const RoomNid nid = there.room(room)->nid;
  leave_and_forget(bob);
  auto begin = [nid, me = there.writer->id()](db::Connection& c) {
    (void)db::begin_room_purge(c, me, nid, db::PurgeIf::forgotten);
    return db::purge_room(c, nid, 3).done;
  };
  ASSERT_FALSE(there.database->run_blocking(std::move(begin)));
  there.restart();
  expect_clean_rejoin(nid);
  EXPECT_EQ(purge(), 0u);
  EXPECT_TRUE(there.room(room)->resident);
}

TEST_F(PurgingTest, a_process_that_another_one_has_replaced_begins_no_purge) {
  start();
  const RoomNid nid = there.room(room)->nid;
  leave_and_forget(bob);
  auto begin = [nid](db::Connection& c) {
    return db::begin_room_purge(c, db::WriterId{}, nid, db::PurgeIf::forgotten);
  };
  EXPECT_EQ(there.database->run_blocking(std::move(begin)), db::PurgeBegun::not_writer);
  EXPECT_NE(there.room(room), nullptr);
}

TEST_F(PurgingTest, room_that_can_not_be_deleted_keeps_no_other_from_being_deleted) {
  start();
  const RoomNid stuck = there.room(room)->nid;
  leave_and_forget(bob);
  const std::string refuse =
      "create function refuse() returns trigger language plpgsql as $$ begin raise 'broken'; end $$;"
      "create trigger refuse before delete on events for each row when (old.room_nid = " +
      std::to_string(to_int(stuck)) + ") execute function refuse()";
  there.execute(refuse);
  start();
  leave_and_forget(bob);
  EXPECT_EQ(purge(), 1u);
  EXPECT_EQ(there.room(room), nullptr);
  there.execute("drop trigger refuse on events");
  EXPECT_EQ(purge(), 1u);
  EXPECT_EQ(rows_of(stuck), Rows{});
}

// --- what an invite told wrongly ----------------------------------------------------------------------------------

struct FalseInviteTest : PurgingTest {
  // An invite of a user of `there` that claims another room version than the room has.
  EventPtr false_invite(const char* version, const UserId& invited) {
    EventDraft draft;
    draft.version = find_room_version(version);
    draft.room_id = room;
    draft.sender = alice.user;
    draft.type = "m.room.member";
    draft.state_key = invited.str();
    draft.content = object{{"membership", "invite"}};
    draft.origin_server_ts = here.clock.now_ms();
    draft.depth = 1;
    return here.make_event(std::move(draft));
  }
  Result<EventPtr> invite(const char* version, const Sender& invited) {
    auto event = TestVerifiedEvents::of(false_invite(version, invited.user));
    return there.run(there.rooms->accept_invite(here.self.name, std::move(event), {}));
  }
};

TEST_F(FalseInviteTest, the_version_of_a_join_wins_over_that_of_an_invite) {
  for (const char* claimed : {"1", "3", "10"}) {
    SCOPED_TRACE(claimed);
    room = here.create_public_room(alice, "11");
    ASSERT_TRUE(invite(claimed, bob));
    ASSERT_TRUE(invite(claimed, dave));
    ASSERT_EQ(there.room(room)->version->id, claimed);
    auto joined = there.join(bob, room, {here.self.name});
    ASSERT_TRUE(joined) << joined.error().message;
    EXPECT_EQ(there.room(room)->version->id, "11");
    EXPECT_EQ(state_ids(here), state_ids(there));
    EXPECT_FALSE(there.run(there.reader->membership(dave.nid, there.room(room)->nid)));
    there.restart();
    EXPECT_EQ(there.room(room)->version->id, "11");
    EXPECT_EQ(state_ids(here), state_ids(there));
    EXPECT_TRUE(there.join(dave, room)) << "whose invite was to a room that is none";
  }
}

TEST_F(FalseInviteTest, an_invite_that_contradicts_another_one_waits_until_that_is_declined) {
  room = here.create_room(alice, [] {
    CreateRoom request;
    request.version = "11";
    return request;
  }());
  ASSERT_TRUE(invite("1", bob));
  EXPECT_EQ(here.change(Kind::invite, alice, dave.user, room).error().code, ErrorCode::forbidden);
  ASSERT_TRUE(there.change(Kind::leave, bob, bob.user, room));
  ASSERT_TRUE(here.change(Kind::invite, alice, dave.user, room));
  EXPECT_EQ(there.room(room)->version->id, "11");
  there.restart();
  ASSERT_TRUE(there.join(dave, room, {here.self.name}));
  EXPECT_EQ(state_ids(here), state_ids(there));
}

TEST_F(FalseInviteTest, a_room_that_was_joined_keeps_its_version_whatever_an_invite_says) {
  start("11");
  leave_and_forget(bob);
  const auto refused = invite("10", bob);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::forbidden);
  EXPECT_EQ(there.room(room)->version->id, "11");
}

}  // namespace
}  // namespace causeway::test
