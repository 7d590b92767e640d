#include "schema/db/tables/destinations.hpp"

#include "schema/db/tables/event_conditions.hpp"

namespace causeway::db {

std::vector<DestinationRow> load_destinations(Connection& connection, const std::vector<ServerNid>& servers) {
  std::vector<DestinationRow> out;
  for (const auto& row : connection.exec("select server_nid, cursor, retry_interval_ms, retry_at_ts from destinations "
                                         "where server_nid = any($1::bigint[])",
                                         int_array_of(servers)))
    out.push_back(
        {read_int<ServerNid>(row[0]), row[1].as<StreamPosition>(), row[2].as<std::int64_t>(), row[3].as<Timestamp>()});
  return out;
}

void save_destinations(Connection& connection, const std::vector<DestinationRow>& rows) {
  // One statement, so one commit: the second part sees outbox_extra as it was, which is what it means.
  connection.exec(
      "with given as (select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[]) "
      "                 g(server_nid, cursor, retry_interval_ms, retry_at_ts)), "
      "done as (delete from outbox_extra x using given g where x.server_nid = g.server_nid and x.position <= g.cursor) "
      "insert into destinations as d (server_nid, cursor, retry_interval_ms, retry_at_ts) select * from given "
      "on conflict (server_nid) do update set cursor = greatest(d.cursor, excluded.cursor), "
      "retry_interval_ms = excluded.retry_interval_ms, retry_at_ts = excluded.retry_at_ts",
      int_array_of(rows, &DestinationRow::server), int_array_of(rows, &DestinationRow::cursor),
      int_array_of(rows, &DestinationRow::retry_interval_ms), int_array_of(rows, &DestinationRow::retry_at_ts));
}

// Each room's part is cut off by itself, so that what is read does not grow with what is owed.
std::vector<OutboxRow> outbox(Connection& connection, ServerNid server, StreamPosition after, StreamPosition until,
                              std::size_t limit) {
  std::vector<OutboxRow> out;
  for (const auto& row : connection.exec(
           "select distinct on (o.anchor) o.anchor, o.event_id, o.json from ("
           " select e.* from room_servers rs cross join lateral ("
           "  select e.anchor, e.event_id, e.json from events e join users u on u.user_nid = e.sender_nid"
           "   where e.room_nid = rs.room_nid and e.anchor > greatest(rs.from_position, $2)"
           "   and e.anchor <= least(rs.to_position, $3) and e.sub = 0 and " EVENT_IS_OWED
           "   and u.server_nid <> $1 order by e.anchor limit $4) e"
           "  where rs.server_nid = $1 and rs.to_position > $2"
           " union all"
           " (select e.anchor, e.event_id, e.json from outbox_extra x"
           "  join events e on e.anchor = x.position and e.sub = 0 join users u on u.user_nid = e.sender_nid"
           "  where x.server_nid = $1 and x.position > $2 and x.position <= $3 and u.server_nid <> $1"
           "  order by x.position limit $4)"
           ") o order by o.anchor limit $4",
           server, after, until, limit))
    out.push_back({row[0].as<StreamPosition>(), EventId::from_db(read_bytes(row[1])), read_bytes(row[2])});
  return out;
}

std::vector<OwedReceipt> receipts_owed(Connection& connection, ServerNid self, ServerNid server, StreamPosition after,
                                       StreamPosition until, std::size_t limit) {
  std::vector<OwedReceipt> out;
  for (const auto& row :
       connection.exec("select r.position, o.room_id, u.user_id, r.thread_id, r.event_id, r.ts from room_servers rs"
                       " join rooms o on o.room_nid = rs.room_nid cross join lateral ("
                       "  select r.* from receipts r join users u on u.user_nid = r.user_nid"
                       "   where r.room_nid = rs.room_nid and r.position > greatest(rs.from_position, $3)"
                       "   and r.position <= $4 and r.receipt_type = 'm.read' and u.server_nid = $1"
                       "   order by r.position limit $5) r join users u on u.user_nid = r.user_nid"
                       " where rs.server_nid = $2 and rs.to_position = 9223372036854775807"
                       " order by r.position limit $5",
                       self, server, after, until, limit))
    out.push_back({read_int<StreamPosition>(row[0]), RoomId::trusted(read_bytes(row[1])),
                   UserId::trusted(read_bytes(row[2])), read_bytes(row[3]), EventId::from_db(read_bytes(row[4])),
                   read_int<Timestamp>(row[5])});
  return out;
}

// Of each room the newest event that may be owed is looked for once, whatever the number of its servers; for a server
// that left before that event it is looked whether there is an earlier one.
std::vector<ServerNid> servers_owed(Connection& connection, ServerNid above, StreamPosition until, std::size_t limit) {
  std::vector<ServerNid> out;
  for (const auto& row : connection.exec(
           "with lacking as (select rs.*, greatest(rs.from_position, coalesce(d.cursor, 0)) as after from room_servers "
           "rs"
           "  left join destinations d using (server_nid) where rs.to_position > coalesce(d.cursor, 0)),"
           " newest as materialized (select r.room_nid, (select e.anchor from events e where e.room_nid = r.room_nid"
           "   and e.anchor > r.after and e.anchor <= $2 and e.sub = 0 and " EVENT_IS_OWED
           "   order by e.anchor desc limit 1) as position"
           "  from (select room_nid, min(after) as after from lacking group by room_nid) r)"
           " select l.server_nid from lacking l join newest n using (room_nid)"
           "  where l.server_nid > $1 and n.position > l.after and (n.position <= l.to_position"
           "   or exists (select from events e where e.room_nid = l.room_nid and e.anchor > l.after"
           "    and e.anchor <= l.to_position and e.sub = 0 and " EVENT_IS_OWED "))"
           " union"
           " select x.server_nid from outbox_extra x left join destinations d using (server_nid)"
           "  where x.server_nid > $1 and x.position > coalesce(d.cursor, 0) and x.position <= $2"
           " order by server_nid limit $3",
           above, until, limit))
    out.push_back(read_int<ServerNid>(row[0]));
  return out;
}

}  // namespace causeway::db
