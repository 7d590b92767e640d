// Each rule finds what breaks it, and nothing in a database that holds something of everything.
#include "schema/db/consistency.hpp"

#include <gtest/gtest.h>

#include <set>

#include "schema/test/support/test_database.hpp"

namespace causeway::db {
namespace {

// Room 1: @a:here made it, @b:there is in it. Room 2: @c:here is invited. Room 3: is being deleted.
constexpr const char* world = R"(
insert into server_meta values ('server_name', 'here');
insert into servers (name) values ('here'), ('there'), ('elsewhere');
insert into users (user_id, server_nid) values ('@a:here', 1), ('@b:there', 2), ('@c:here', 1);
insert into state_keys (type, state_key) values
  ('m.room.create', ''), ('m.room.member', '@a:here'), ('m.room.member', '@b:there'), ('m.room.topic', ''),
  ('m.room.member', '@c:here');
select nextval('room_nid'), nextval('room_nid'), nextval('room_nid'), nextval('event_nid_block');
insert into rooms (room_nid, room_id, version, state_version, next_line, extremities, resident, created_ts) values
  (1, '!r:here', '12', 3, 2, '{1032}', true, 0), (2, '!s:there', '12', 0, 1, '{}', false, 0);
insert into room_purges values (2, 0, null), (3, 0, '!gone:there');
insert into events (event_nid, room_nid, anchor, sub, sender_nid, state_key_nid, state_line, state_version, after_line,
                    after_version, flags, event_id, auth_nids, auth_order, json) values
  (1024, 1, 1, 0, 1, 1, 0, 0, 0, 1, 8, '$create', '{}', null, '{"content":{}}'),
  (1025, 1, 2, 0, 1, 2, 0, 1, 0, 2, 8, '$join', '{1024}', null, '{"content":{"membership":"join"}}'),
  (1026, 1, 3, 0, 2, 3, 0, 2, 0, 3, 0, '$join_b', '{1024}', 1030, '{"content":{"membership":"join"}}'),
  (1027, 1, 4, 0, 1, null, 0, 3, null, null, 12, '$message', null, null, '{}'),
  (1028, 1, 5, 0, 1, null, 0, 3, null, null, 8, '$redaction', null, null, '{}'),
  (1029, 1, 6, 0, 2, 4, 0, 3, 1, 1, 2, '$topic', '{1024,1026}', 1031, '{"content":{}}'),
  (1030, 1, 4, -1, 2, null, 0, 3, null, null, 0, '$backfilled', null, null, '{}'),
  (1031, 1, 7, 0, 2, null, 0, 3, null, null, 128, '$behind', null, null, '{}'),
  (1032, 1, 8, 0, 2, null, 0, 3, null, null, 0, '$late', null, null, '{}'),
  (1033, 2, null, 0, 2, 5, null, null, null, null, 64, '$invite', '{}', null, '{"content":{"membership":"invite"}}'),
  (1034, 3, 14, 0, 2, 1, 0, 0, 0, 1, 4, '$gone', '{1}', null, '{}'),
  (1035, 1, 9, 0, 2, 4, 0, 3, null, null, 1, '$rejected', '{}', null, '{}');
insert into room_state values (1, 0, 1, 1, default, 1024), (1, 0, 2, 2, default, 1025), (1, 0, 3, 3, default, 1026),
  (1, 1, 4, 1, default, 1029);
insert into state_lines values (1, 1, 0, 3);
insert into gaps values (1, '$missing', 1031);
insert into late_events values (1032, 1, 7, -1), (1999, 1, 7, -2);
insert into redactions values ('$message', 1028, true), ('$missing', 1028, false);
insert into memberships values (1, 1, 2, false, 1025, 2, null), (3, 2, 1, false, 1033, 10, '[]');
insert into room_servers values (2, 1, 1, 2), (2, 1, 3, default);
insert into receipts values (1, 1, 'm.read', '', '$message', 0, 11);
insert into account_data values (1, 0, 'a', '{}', 12), (1, 1, 'b', '{}', 13);
insert into aliases values ('#r:here', 1, 1, 20);
insert into accounts (user_nid, created_ts) values (1, 0), (3, 0);
insert into devices (user_nid, device_id, created_ts) values (1, 'D', 0);
insert into access_tokens values ('hash', 1, 1, 0);
insert into filters values (1, 1, '{}');
insert into destinations values (2, 8);
insert into outbox_extra values (2, 9);
insert into lost_spans values (18, 15);
insert into consumers values ('federation', 20);
update stream set position = 20;
)";

struct Damage {
  const char* rule;
  const char* sql;
  const char* rows;  // what is found
};

constexpr Damage damages[] = {
    {"position_given_twice", "update receipts set position = 12",
     "position 12: account data of user 1 in room 0, receipt of user 1 in room 1"},
    {"position_above_stream", "update receipts set position = 21", "receipt of user 1 in room 1 at 21"},
    {"position_in_lost_span", "update receipts set position = 16", "receipt of user 1 in room 1 at 16"},
    {"event_number_not_taken",
     "update late_events set event_nid = 9999 where event_nid = 1032;"
     "update rooms set extremities = '{2048}' where room_nid = 1; update events set event_nid = 2048 where event_nid = "
     "1032",
     "event 2048"},
    {"room_number_not_taken",
     "update room_purges set room_nid = 4 where room_nid = 3;"
     "update events set room_nid = 4 where room_nid = 3",
     "room 4"},
    {"state_span_empty", "insert into room_state values (1, 0, 4, 2, 2, 0)", "room 1, line 0, key 4: from 2 to 2"},
    {"state_spans_overlap", "insert into room_state values (1, 0, 4, 1, 3, 0), (1, 0, 4, 2, 3, 0)",
     "room 1, line 0, key 4: from 1 to 3"},
    {"state_beyond_head", "insert into room_state values (1, 0, 4, 4, default, 0)",
     "room 1, key 4: from 4 to 2147483647"},
    {"state_on_unknown_line", "insert into room_state values (1, 2, 4, 1, default, 0)", "room 1, line 2"},
    {"state_of_unknown", "insert into room_state values (1, 0, 99, 1, default, 0)", "room 1, line 0, key 99"},
    {"state_held_by_wrong_event", "insert into room_state values (1, 0, 4, 1, default, 1027)",
     "room 1, line 0, key 4: event 1027"},
    {"line_out_of_place", "insert into state_lines values (1, 2, 1, 1)", "room 1, line 2 on (1, 1)"},
    {"event_of_unknown", "update events set sender_nid = 99 where event_nid = 1027",
     "event 1027: room 1, sender 99, key "},
    {"event_out_of_place", "update events set flags = 192 where event_nid = 1033",
     "event 1033 at (, 0), state (, ), after (, ), flags 192"},
    {"backfilled_before_nothing", "update events set anchor = 17 where sub < 0", "event 1030 before 17"},
    {"event_at_unknown_state", "update events set state_version = 4 where event_nid = 1032", "event 1032 at (0, 4)"},
    {"state_after_lacks_event", "update room_state set event_nid = 0 where line = 1", "event 1029, after (1, 1)"},
    {"cited_event_missing", "update events set auth_nids = '{1024,1019}' where event_nid = 1025",
     "event 1025 cites 1019"},
    {"auth_order_not_above_cited", "update events set auth_order = null where event_nid = 1029",
     "event 1029 cites 1026"},
    {"extremity_not_accepted", "update rooms set extremities = '{1032,1029}' where room_nid = 1", "room 1: event 1029"},
    {"resident_without_extremity", "update rooms set extremities = '{}'", "room 1"},
    {"resident_without_member",
     "update rooms set resident = true, extremities = '{1033}' where room_nid = 2;"
     "update events set flags = 0, anchor = 19, state_line = 0, state_version = 0 where event_nid = 1033;"
     "insert into room_state values (2, 0, 5, 1, default, 1033); update rooms set state_version = 1 where room_nid = 2",
     "room 2 has no member here"},
    {"purge_of_wrong_room", "update room_purges set room_id = '!r:here' where room_nid = 3", "room 3"},
    {"alias_of_unknown", "update aliases set creator_nid = 99", "#r:here"},
    {"membership_of_unknown", "update memberships set event_nid = 1 where room_nid = 2", "user 3 in room 2: event 1"},
    {"membership_not_of_state",
     "insert into events select 1036, room_nid, 19, sender_nid, state_key_nid, state_line,"
     " state_version, null, null, sub, 2, '$other', auth_nids, json from events where event_nid = 1025;"
     "update memberships set event_nid = 1036, position = 19 where room_nid = 1",
     "user 1 in room 1: event 1036, in the state 1025"},
    {"membership_other_than_event", "update memberships set membership = 4 where room_nid = 1",
     "user 1 in room 1 is 4, in the state 2"},
    {"membership_missing", "delete from memberships where room_nid = 1", "user 1 in room 1"},
    {"room_server_without_member", "insert into room_servers values (3, 1, 3)", "server 3 in room 1"},
    {"room_server_missing", "delete from room_servers", "server 2 in room 1"},
    {"room_server_stays_overlap", "update room_servers set to_position = 4 where to_position = 2",
     "server 2 in room 1: from 1 to 4"},
    {"room_server_of_unknown", "insert into room_servers values (99, 1, 3, 4)", "server 99 in room 1"},
    {"redacted_without_redaction", "update events set flags = 4 where event_nid = 1032", "event 1032"},
    {"redaction_not_applied", "update redactions set applied = true where target_event_id = '$missing'", "event 1028"},
    {"redaction_missing", "insert into redactions values ('$late', 1999, false)", "event 1999"},
    {"gap_before_nothing", "insert into gaps values (1, '$missing', 1999)", "room 1: before event 1999"},
    {"gap_not_marked", "insert into gaps values (1, '$missing', 1028)", "event 1028"},
    {"gap_that_is_filled", "insert into gaps values (1, '$message', 1031)", "room 1: event 1027 before event 1031"},
    {"late_event_out_of_place", "update late_events set anchor = 4 where event_nid = 1032", "event 1032 at (4, -1)"},
    {"user_of_unknown_server", "insert into users (user_id, server_nid) values ('@d:gone', 99)", "user 4"},
    {"account_of_unknown_user", "insert into accounts (user_nid, created_ts) values (2, 0)", "user 2"},
    {"device_of_unknown_user", "insert into devices (user_nid, device_id, created_ts) values (2, 'E', 0)", "device 2"},
    {"token_of_unknown_device", "update access_tokens set user_nid = 3", "device 1"},
    {"filter_of_unknown_user", "update filters set user_nid = 99", "user 99"},
    {"receipt_of_unknown", "update receipts set room_nid = 99", "user 1 in room 99"},
    {"account_data_of_unknown", "update account_data set room_nid = 99 where room_nid = 1", "user 1 in room 99"},
    {"account_data_miscounted", "update account_data_use set bytes = bytes + 1", "user 1: 518 bytes, counted 519"},
    {"destination_unknown", "update outbox_extra set server_nid = 99", "server 99"},
};

struct ConsistencyTest : testing::Test {
  ConsistencyTest() { connection.exec_script(world); }

  // Nothing of it stays.
  std::vector<Finding> found_after(const std::string& sql) {
    struct RollBack {};
    std::vector<Finding> findings;
    try {
      connection.transaction([&](Connection& inside) {
        inside.exec_script(sql);
        findings = check_consistency(inside);
        throw RollBack();
      });
    } catch (const RollBack&) {
    }
    return findings;
  }

  test::TestDatabase database;
  Connection connection{database.url()};
};

TEST_F(ConsistencyTest, each_rule_finds_what_breaks_it_and_no_other_does) {
  for (const Damage& damage : damages) {
    const std::vector<Finding> expected = {{damage.rule, damage.rows}};
    EXPECT_EQ(found_after(damage.sql), expected) << damage.rule << " for " << damage.sql;
  }
}

TEST_F(ConsistencyTest, every_rule_is_tested) {
  std::set<std::string_view> rules, tested;
  for (const ConsistencyRule& rule : consistency_rules())
    rules.insert(rule.name);
  for (const Damage& damage : damages)
    tested.insert(damage.rule);
  EXPECT_EQ(rules, tested);
}

TEST_F(ConsistencyTest, a_rule_tells_no_more_rows_than_anybody_reads) {
  const auto findings = found_after(
      "insert into users (user_id, server_nid) select int8send(n), 99 from generate_series(1::bigint, 1000) n");
  EXPECT_EQ(findings.size(), std::size_t{max_findings});
}

}  // namespace

void PrintTo(const Finding& finding, std::ostream* out) {
  *out << finding.rule << ": " << finding.rows;
}

}  // namespace causeway::db
