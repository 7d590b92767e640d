#include "homeserver/stream/event_writer.hpp"

#include <gtest/gtest.h>

#include <boost/algorithm/string/replace.hpp>
#include <future>
#include <thread>

#include "homeserver/test/support/cutting_proxy.hpp"
#include "homeserver/test/support/stored_events.hpp"
#include "homeserver/test/support/writer_kit.hpp"

namespace causeway {
namespace {

using test::ask;
using test::stored_message;
using test::unit_of;
using test::unit_with_room;

class EventWriterTest : public ::testing::Test {
 protected:
  std::int64_t ask_here(const std::string& sql) { return ask(database_.url(), sql); }
  std::string ask_text(const std::string& sql) { return test::ask<std::string>(database_.url(), sql); }
  std::int64_t stored(const std::string& where = "true") {
    return ask_here("select count(*) from events where " + where);
  }
  static void expect_all_committed(const std::vector<Written>& results) {
    for (const Written& result : results)
      EXPECT_TRUE(result) << result.error().message;
  }

  test::TestDatabase database_{test::Rows::by_hand};
};

WriteUnitPtr on_head(WriteUnitPtr unit, const std::shared_ptr<HeadLineage>& lineage, std::int32_t state_version = 0) {
  unit->lineage = lineage;
  HeadUpdate head;
  head.extremities = {unit->events.front().stored->nid};
  head.state_version = state_version;
  unit->head = std::move(head);
  return unit;
}

TransactionRecord transaction_of(unsigned char key, EventNid event) {
  TransactionRecord record;
  record.device = DeviceNid{7};
  record.key[0] = key;
  record.event = event;
  return record;
}

TEST_F(EventWriterTest, a_send_is_one_round_trip_once_warm) {
  test::WriterKit kit(database_.url());
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  const auto before = kit.writer.round_trips();
  auto send = on_head(unit_of(stored_message(2, 1)), nullptr);
  send->transaction = transaction_of(1, EventNid{2});
  ASSERT_TRUE(kit.commit(send));
  EXPECT_EQ(kit.writer.round_trips() - before, 1u);
  EXPECT_EQ(send->events[0].stored->position(), 2);
  EXPECT_EQ(ask_here("select extremities[1] from rooms"), 2);
  EXPECT_EQ(ask_here("select count(*) from transactions where device_nid = 7 and event_nid = 2"), 1);
}

TEST_F(EventWriterTest, positions_are_contiguous_and_in_the_order_of_the_calls) {
  test::WriterKit kit(database_.url());
  std::vector<WriteUnitPtr> units;
  for (std::int64_t room = 1; room <= 3; ++room)
    units.push_back(unit_with_room(stored_message(room, room)));
  for (std::int64_t nid = 4; nid <= 600; ++nid) {
    units.push_back(unit_of(stored_message(nid, nid % 3 + 1)));
    db::AccountDataChange data;
    data.user = UserNid{nid % 5};
    data.type = "t";
    data.content_json = "{}";
    units.back()->changes.emplace_back(std::move(data));
  }
  expect_all_committed(kit.commit(units));
  StreamPosition expected = 0;
  for (const CommittedPtr& facts : kit.facts) {
    EXPECT_EQ(facts->after, expected);
    EXPECT_EQ(facts->events[0].stored->position(), ++expected);
    for_each_change<db::AccountDataChange>(*facts, [&](const auto& data) { EXPECT_EQ(data.position, ++expected); });
    EXPECT_EQ(facts->until, expected);
  }
  EXPECT_EQ(kit.hub.position(), expected);
  EXPECT_EQ(ask_here("select position from stream"), expected);
  EXPECT_EQ(stored("anchor is not null"), 600);
  EXPECT_EQ(ask_here("select count(*) from account_data"), 5);
  EXPECT_EQ(ask_here("select max(position) from account_data"), expected);
  EXPECT_LT(ask_here("select batch from stream"), 20) << "concurrent units share commits";
}

TEST_F(EventWriterTest, messages_alone_are_stored_as_they_are_among_other_things) {
  test::WriterKit kit(database_.url());
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  const auto message = [](std::int64_t nid) {
    auto unit = on_head(unit_of(stored_message(nid, 1)), nullptr);
    unit->head->extremities.push_back(EventNid{1});
    unit->transaction = transaction_of(static_cast<unsigned char>(nid), EventNid{nid});
    return unit;
  };
  const auto facts = [&](std::int64_t nid) {
    return ask_text(
        "select concat_ws(' ', anchor - event_nid, sub, sender_nid, state_key_nid, state_line, events.state_version,"
        " after_line, after_version, flags, auth_nids, rooms.state_version, length(json) > 0, length(event_id) > 0, "
        "extremities,"
        " next_line, resident, device_nid, transactions.created_ts > 0)"
        " from events join rooms using (room_nid) join transactions using (event_nid) where event_nid = " +
        std::to_string(nid));
  };
  ASSERT_TRUE(kit.commit(message(2)));
  const std::string alone = facts(2);
  auto in_company = message(3);
  in_company->unstaged.push_back(EventId::trusted("$staged"));
  ASSERT_TRUE(kit.commit(in_company));
  EXPECT_EQ(boost::algorithm::replace_all_copy(alone, "{2,1}", "{3,1}"), facts(3));
}

TEST_F(EventWriterTest, a_message_that_was_an_outlier_gets_its_place) {
  test::WriterKit kit(database_.url());
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  auto outlier = unit_of(stored_message(2, 1));
  outlier->events[0].placement = Placement::outlier;
  ASSERT_TRUE(kit.commit(outlier));
  ASSERT_EQ(stored("event_nid = 2 and anchor is null"), 1);
  ASSERT_TRUE(kit.commit(unit_of(stored_message(2, 1))));
  EXPECT_EQ(stored("event_nid = 2 and anchor = 2"), 1);
  EXPECT_EQ(ask_here("select position from stream"), 2);
}

TEST_F(EventWriterTest, a_bad_row_fails_its_unit_alone_and_what_builds_on_it_is_stale) {
  test::WriterKit kit(database_.url());
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(2, 2))));
  auto lineage = std::make_shared<HeadLineage>(), other = std::make_shared<HeadLineage>();
  auto results = kit.commit({
      unit_of(stored_message(3, 2)),  // keeps the writer busy while the rest gathers
      on_head(unit_of(stored_message(4, 1)), lineage),
      on_head(unit_of(stored_message(1, 1)), lineage),  // its number is taken
      on_head(unit_of(stored_message(5, 1)), lineage),
      on_head(unit_of(stored_message(6, 2)), other),
  });
  EXPECT_TRUE(results[0] && results[1] && results[4]);
  ASSERT_FALSE(results[2]);
  EXPECT_EQ(results[2].error().status, 500u);
  EXPECT_EQ(results[2].failure(), WriteFailure::refused);
  ASSERT_FALSE(results[3]);
  EXPECT_EQ(results[3].failure(), WriteFailure::stale_head);
  EXPECT_TRUE(lineage->broken);
  EXPECT_FALSE(other->broken);
  EXPECT_EQ(stored(), 5);
  EXPECT_EQ(stored("event_nid = 5"), 0);
  EXPECT_EQ(ask_here("select position from stream"), 5);
  EXPECT_EQ(kit.hub.recent().all().size(), 5u);
  EXPECT_EQ(ask_here("select extremities[1] from rooms where room_nid = 1"), 4);
}

TEST_F(EventWriterTest, a_unit_of_a_broken_lineage_is_stale_also_when_it_comes_later) {
  test::WriterKit kit(database_.url());
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  auto lineage = std::make_shared<HeadLineage>();
  EXPECT_FALSE(kit.commit(on_head(unit_of(stored_message(1, 1)), lineage)));
  auto later = kit.commit(on_head(unit_of(stored_message(2, 1)), lineage));
  ASSERT_FALSE(later);
  EXPECT_EQ(later.failure(), WriteFailure::stale_head);
  EXPECT_TRUE(kit.commit(on_head(unit_of(stored_message(2, 1)), std::make_shared<HeadLineage>())));
}

TEST_F(EventWriterTest, a_transaction_identifier_is_used_once) {
  test::WriterKit kit(database_.url());
  auto first = unit_with_room(stored_message(1, 1));
  first->transaction = transaction_of(1, EventNid{1});
  ASSERT_TRUE(kit.commit(first));
  auto again = unit_of(stored_message(2, 1)), fresh = unit_of(stored_message(3, 1));
  again->transaction = transaction_of(1, EventNid{2});
  fresh->transaction = transaction_of(2, EventNid{3});
  auto results = kit.commit({unit_of(stored_message(4, 1)), again, fresh});
  ASSERT_FALSE(results[1]);
  EXPECT_EQ(results[1].failure(), WriteFailure::duplicate_transaction);
  EXPECT_TRUE(results[2]);
  EXPECT_EQ(stored("event_nid = 2"), 0);
}

// Ends the writer's connection while its statement waits for the lock of the stream.
void end_connection_of_waiting_writer(const std::string& url, const std::function<void()>& while_locked) {
  pqxx::connection connection(url);
  pqxx::nontransaction in(connection);
  in.exec("begin");
  in.exec("select lock_stream()");
  while_locked();
  const std::string waiting =
      "from pg_stat_activity where application_name = 'causeway writer' and wait_event_type = 'Lock' and "
      "datname = current_database()";
  while (in.exec("select count(*) " + waiting)[0][0].as<int>() == 0)
    std::this_thread::yield();
  in.exec("select pg_terminate_backend(pid) " + waiting);
  in.exec("commit");
}

TEST_F(EventWriterTest, a_connection_ended_before_the_commit_loses_and_doubles_nothing) {
  test::WriterKit kit(database_.url());
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  std::promise<void> locked;
  std::thread interference([&] { end_connection_of_waiting_writer(database_.url(), [&] { locked.set_value(); }); });
  locked.get_future().wait();
  std::vector<WriteUnitPtr> units;
  for (std::int64_t nid = 2; nid <= 50; ++nid)
    units.push_back(unit_of(stored_message(nid, 1)));
  expect_all_committed(kit.commit(units));
  interference.join();
  EXPECT_EQ(stored(), 50);
  EXPECT_EQ(ask_here("select position from stream"), 50);
  EXPECT_EQ(ask_here("select generation from stream"), 2);
}

TEST_F(EventWriterTest, a_reply_lost_after_the_commit_loses_and_doubles_nothing) {
  test::CuttingProxy proxy(database_.url());
  test::WriterKit kit(proxy.url());
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  const auto batches = ask_here("select batch from stream");
  proxy.lose_next_reply();
  auto outlier_only = unit_of(stored_message(2, 1));  // takes no position: found again all the same
  outlier_only->events[0].placement = Placement::outlier;
  expect_all_committed({kit.commit(outlier_only)});
  EXPECT_EQ(ask_here("select batch from stream"), batches + 1) << "not written twice";

  proxy.lose_next_reply();
  auto first = unit_of(stored_message(3, 1)), second = unit_of(stored_message(4, 1));
  expect_all_committed(kit.commit({first, second}));
  EXPECT_EQ(proxy.replies_lost(), 2);
  EXPECT_EQ(first->events[0].stored->position(), 2);
  EXPECT_EQ(second->events[0].stored->position(), 3);
  EXPECT_EQ(ask_here("select anchor from events where event_nid = 4"), 3);
  EXPECT_EQ(stored(), 4);
}

TEST_F(EventWriterTest, a_database_that_stays_away_is_503_and_service_resumes_by_itself) {
  WriterSettings settings;
  settings.deadline = std::chrono::milliseconds(100);
  test::WriterKit kit(database_.url(), settings);
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  const std::string name = database_.url().substr(database_.url().find("dbname=") + 7);
  const std::string admin = database_.url().substr(0, database_.url().find("dbname=")) + "dbname=postgres";
  auto allow_connections = [&](bool allowed) {
    pqxx::connection connection(admin);
    pqxx::nontransaction in(connection);
    in.exec("alter database " + name + " allow_connections " + (allowed ? "true" : "false"));
    in.exec("select pg_terminate_backend(pid) from pg_stat_activity where datname = '" + name + "'");
  };
  allow_connections(false);
  auto lineage = std::make_shared<HeadLineage>();
  // The first is lost on the connection that ended: nobody can say more about it until the database is back.
  std::thread back([&] {
    while (kit.metrics.text().find("reason=\"unavailable\"") == std::string::npos)
      std::this_thread::yield();
    allow_connections(true);
  });
  auto results = kit.commit({unit_of(stored_message(2, 1)), on_head(unit_of(stored_message(3, 1)), lineage),
                             on_head(unit_of(stored_message(4, 1)), lineage)});
  back.join();
  EXPECT_TRUE(results[0]);
  ASSERT_FALSE(results[1] || results[2]);
  EXPECT_EQ(results[1].error().status, 503u);
  EXPECT_TRUE(kit.commit(unit_of(stored_message(5, 1))));
  EXPECT_EQ(stored(), 3);
}

TEST_F(EventWriterTest, an_older_writer_is_refused_for_good) {
  int told = 0;
  WriterSettings settings;
  settings.on_fenced = [&told] { ++told; };
  test::WriterKit older(database_.url(), settings);
  ASSERT_TRUE(older.commit(unit_with_room(stored_message(1, 1))));
  test::WriterKit newer(database_.url());
  EXPECT_EQ(newer.hub.position(), 1);
  EXPECT_EQ(told, 0);
  auto refused = older.commit(unit_of(stored_message(2, 1)));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().status, 503u);
  EXPECT_TRUE(older.writer.fenced());
  EXPECT_TRUE(newer.commit(unit_of(stored_message(2, 1))));
  EXPECT_FALSE(older.commit(unit_of(stored_message(3, 1))));
  EXPECT_EQ(told, 1);
  EXPECT_EQ(stored(), 2);
}

TEST_F(EventWriterTest, an_older_writer_does_not_take_over_again_when_its_connection_breaks) {
  test::CuttingProxy proxy(database_.url());
  test::WriterKit older(proxy.url());
  test::WriterKit newer(database_.url());
  proxy.lose_next_reply();
  EXPECT_FALSE(older.commit(unit_with_room(stored_message(1, 1))));
  EXPECT_TRUE(older.writer.fenced());
  EXPECT_TRUE(newer.commit(unit_with_room(stored_message(1, 1))));
}

TEST_F(EventWriterTest, a_full_queue_is_503_at_once) {
  WriterSettings settings;
  settings.max_queued_units = 2;
  test::WriterKit kit(database_.url(), settings);
  std::vector<WriteUnitPtr> units = {unit_with_room(stored_message(1, 1))};
  for (std::int64_t nid = 2; nid <= 5; ++nid)
    units.push_back(unit_of(stored_message(nid, 1)));
  auto results = kit.commit(units);
  EXPECT_TRUE(results[0] && results[1] && results[2]);
  ASSERT_FALSE(results[3] || results[4]);
  EXPECT_EQ(results[3].error().status, 503u);
}

TEST_F(EventWriterTest, a_state_key_that_changes_twice_in_a_batch_has_rows_that_join) {
  test::WriterKit kit(database_.url());
  auto change = [](WriteUnitPtr unit, std::int32_t version) {
    StateChange changed;
    changed.from_version = version;
    changed.key = StateKeyNid{9};
    changed.event = unit->events[0].stored->nid;
    unit->state.push_back(changed);
    return on_head(unit, nullptr, version);
  };
  ASSERT_TRUE(kit.commit(change(unit_with_room(stored_message(1, 1)), 1)));
  expect_all_committed(kit.commit({unit_with_room(stored_message(2, 2)), change(unit_of(stored_message(3, 1)), 4),
                                   change(unit_of(stored_message(4, 1)), 6)}));
  EXPECT_EQ(ask_here("select count(*) from room_state where (from_version, to_version, event_nid) in "
                     "((1, 4, 1), (4, 6, 3), (6, 2147483647, 4))"),
            3);
  EXPECT_EQ(ask_here("select state_version from rooms where room_nid = 1"), 6);
}

TEST_F(EventWriterTest, memberships_servers_and_receipts_follow_their_events) {
  test::WriterKit kit(database_.url());
  auto join = unit_with_room(stored_message(1, 1));
  join->memberships = {{UserNid{5}, RoomNid{1}, db::Membership::join, EventNid{1}, std::nullopt, false},
                       {UserNid{6}, RoomNid{2}, db::Membership::invite, EventNid{99}, "[]", false}};
  join->servers = {{ServerNid{3}, 0, true}};
  db::ReceiptChange receipt;
  receipt.room = RoomNid{1};
  receipt.user = UserNid{5};
  receipt.receipt_type = "m.read";
  receipt.event_id = EventId::trusted("$1");
  join->changes = {receipt, receipt};
  ASSERT_TRUE(kit.commit(join));
  const Committed& joined = *kit.facts.back();
  EXPECT_EQ(joined.memberships[0].position, 1);
  EXPECT_EQ(joined.memberships[1].position, 2);
  EXPECT_EQ(joined.servers[0].position, 1);
  EXPECT_EQ(std::get<db::ReceiptChange>(joined.changes[0]).position, 3);
  EXPECT_EQ(std::get<db::ReceiptChange>(joined.changes[1]).position, 4);
  EXPECT_EQ(ask_here("select position from memberships where user_nid = 6 and stripped_state is not null"), 2);
  EXPECT_EQ(ask_here("select position from receipts"), 4);
  auto leave = unit_of(stored_message(2, 1));
  leave->memberships = {{UserNid{5}, RoomNid{1}, db::Membership::leave, EventNid{2}, std::nullopt, true}};
  leave->servers = {{ServerNid{3}, 0, false}};
  leave->outbox_extra = {{ServerNid{4}, 0}};
  auto rejoin = unit_of(stored_message(3, 1));
  rejoin->servers = {{ServerNid{3}, 0, true}};
  expect_all_committed(kit.commit({leave, rejoin}));
  EXPECT_EQ(ask_here("select position from memberships where user_nid = 5 and membership = 0 and forgotten"), 5);
  EXPECT_EQ(ask_here("select to_position from room_servers where from_position = 1"), 5);
  EXPECT_EQ(ask_here("select from_position from room_servers where to_position = 9223372036854775807"), 6);
  EXPECT_EQ(ask_here("select position from outbox_extra where server_nid = 4"), 5);
}

TEST_F(EventWriterTest, an_alias_that_is_taken_is_said_to_be_in_use) {
  test::WriterKit kit(database_.url());
  auto first = unit_with_room(stored_message(1, 1));
  const auto alias = db::AliasChange::added(RoomAlias::trusted("#a:s"), RoomNid{1}, UserNid{1});
  first->changes.emplace_back(alias);
  ASSERT_TRUE(kit.commit(first));
  auto second = std::make_shared<WriteUnit>();
  second->room = RoomNid{1};
  second->changes.emplace_back(alias);
  auto result = kit.commit(second);
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code, ErrorCode::room_in_use);
}

TEST_F(EventWriterTest, drain_ends_after_everything_queued_is_written) {
  test::WriterKit kit(database_.url());
  ASSERT_TRUE(kit.commit(unit_with_room(stored_message(1, 1))));
  int answered = 0;
  for (std::int64_t nid = 2; nid <= 20; ++nid)
    spawn(kit.reactor, kit.writer.commit(unit_of(stored_message(nid, 1))),
          [&](std::exception_ptr, Written result) { answered += static_cast<bool>(result); });
  test::run_task(kit.reactor, kit.writer.drain());
  EXPECT_EQ(answered, 19);
  EXPECT_EQ(stored(), 20);
}

}  // namespace
}  // namespace causeway
