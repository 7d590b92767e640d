#include "schema/db/tables/room_purges.hpp"

namespace causeway::db {

std::vector<RoomPurge> room_purges(Connection& connection, std::int64_t retention_ms, std::size_t limit) {
  std::vector<RoomPurge> purges;
  for (const auto& row : connection.exec(
           "select p.room_nid, coalesce(p.room_id, r.room_id), p.room_id is not null from room_purges p"
           " left join rooms r using (room_nid)"
           " where p.room_id is not null or p.requested_ts <= extract(epoch from clock_timestamp()) * 1000 - $1"
           " order by p.room_id is null, p.requested_ts limit $2",
           retention_ms, limit)) {
    RoomPurge purge;
    purge.room = read_int<RoomNid>(row[0]);
    if (!row[1].is_null()) purge.id = RoomId::trusted(read_bytes(row[1]));
    purge.begun = row[2].as<bool>();
    purges.push_back(std::move(purge));
  }
  return purges;
}

std::optional<RoomNid> begun_room_purge(Connection& connection, const RoomId& room) {
  const auto rows = connection.exec("select room_nid from room_purges where room_id = $1", Bytes(room.str()));
  if (rows.empty()) return std::nullopt;
  return read_int<RoomNid>(rows[0][0]);
}

namespace {

// 1 to 3 are invite, join and knock (Membership).
const char* sql_of(PurgeIf condition) {
  switch (condition) {
    case PurgeIf::forgotten:
      return "select not exists (select from rooms where room_nid = $1 and resident)"
             " and not exists (select from memberships where room_nid = $1 and (not forgotten or membership in (1, 2, "
             "3)))";
    case PurgeIf::never_accepted:
      return "select exists (select from rooms where room_nid = $1 and not resident and state_version = 0"
             " and extremities = '{}')";
    case PurgeIf::declined:
      return "select exists (select from rooms where room_nid = $1 and not resident and state_version = 0"
             " and extremities = '{}')"
             " and not exists (select from memberships where room_nid = $1 and membership in (1, 2, 3))";
  }
  return nullptr;
}

}  // namespace

PurgeBegun begin_room_purge(Connection& connection, const WriterId& me, RoomNid room, PurgeIf condition) {
  PurgeBegun begun = PurgeBegun::not_writer;
  connection.transaction([&](Connection& in) {
    in.exec("select lock_stream()");  // so that no membership changes meanwhile
    begun = PurgeBegun::not_writer;
    if (!is_writer(in, me)) return;
    begun = PurgeBegun::in_use;
    if (!in.exec(sql_of(condition), room)[0][0].as<bool>()) {
      if (condition == PurgeIf::forgotten) in.exec("delete from room_purges where room_nid = $1", room);
      return;
    }
    in.exec(
        "insert into room_purges (room_nid, requested_ts, room_id)"
        " select room_nid, extract(epoch from clock_timestamp()) * 1000, room_id from rooms where room_nid = $1"
        " on conflict (room_nid) do update set room_id = excluded.room_id",
        room);
    in.exec("delete from rooms where room_nid = $1", room);
    begun = PurgeBegun::yes;
  });
  return begun;
}

std::vector<UserNid> users_of_room(Connection& connection, RoomNid room) {
  std::vector<UserNid> users;
  for (const auto& row : connection.exec("select user_nid from memberships where room_nid = $1", room))
    users.push_back(read_int<UserNid>(row[0]));
  return users;
}

namespace {

// Each deletes at most $2 rows of room $1.
constexpr const char* deletions[] = {
    "delete from staged_pdus where staged_nid = any(array(select s.staged_nid from staged_pdus s"
    " join room_purges p using (room_id) where p.room_nid = $1 limit $2))",
    "delete from aliases where ctid = any(array(select ctid from aliases where room_nid = $1 limit $2))",
    "delete from room_state where ctid = any(array(select ctid from room_state where room_nid = $1 limit $2))",
    "delete from state_lines where ctid = any(array(select ctid from state_lines where room_nid = $1 limit $2))",
    "delete from gaps where ctid = any(array(select ctid from gaps where room_nid = $1 limit $2))",
    "delete from late_events where ctid = any(array(select ctid from late_events where room_nid = $1 limit $2))",
    "delete from receipts where ctid = any(array(select ctid from receipts where room_nid = $1 limit $2))",
    "delete from account_data where ctid = any(array(select ctid from account_data where room_nid = $1"
    " and room_nid <> 0 limit $2))",
    "delete from room_servers where ctid = any(array(select ctid from room_servers where room_nid = $1 limit $2))",
    "delete from memberships where ctid = any(array(select ctid from memberships where room_nid = $1 limit $2))",
};

// Those of the timeline and the outliers have an index each.
constexpr const char* events_to_delete[] = {
    "select event_nid, event_id from events where room_nid = $1 and anchor is not null limit $2",
    "select event_nid, event_id from events where room_nid = $1 and anchor is null limit $2",
};

std::vector<EventNid> delete_events(Connection& connection, RoomNid room, const char* choose, std::size_t max_rows) {
  std::vector<EventNid> nids;
  std::vector<std::string> ids;
  for (const auto& row : connection.exec(choose, room, max_rows)) {
    nids.push_back(read_int<EventNid>(row[0]));
    ids.push_back(read_bytes(row[1]));
  }
  if (nids.empty()) return nids;
  const std::string nid_array = int_array_of(nids);
  connection.exec("delete from redactions where target_event_id = any($1::bytea[])", bytea_array(ids));
  connection.exec("delete from redactions where redaction_nid = any($1::bigint[])", nid_array);
  connection.exec("delete from events where event_nid = any($1::bigint[])", nid_array);
  return nids;
}

}  // namespace

PurgeStep purge_room(Connection& connection, RoomNid room, std::size_t max_rows) {
  PurgeStep step;
  std::size_t deleted = 0;
  for (const char* sql : deletions) {
    deleted += static_cast<std::size_t>(connection.exec(sql, room, max_rows - deleted).affected_rows());
    if (deleted >= max_rows) return step;
  }
  for (const char* sql : events_to_delete) {
    const auto gone = delete_events(connection, room, sql, max_rows - deleted);
    step.events.insert(step.events.end(), gone.begin(), gone.end());
    deleted += gone.size();
    if (deleted >= max_rows) return step;
  }
  if (deleted > 0) return step;
  connection.exec("delete from room_purges where room_nid = $1", room);
  step.done = true;
  return step;
}

}  // namespace causeway::db
