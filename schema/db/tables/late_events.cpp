#include "schema/db/tables/late_events.hpp"

#include <limits>

#include "schema/db/tables/events.hpp"

namespace causeway::db {

std::vector<FilledGap> filled_gaps(Connection& connection, RoomNid room, std::span<const EventId> arriving) {
  std::vector<FilledGap> found;
  for (const auto& row :
       connection.exec("select distinct on (g.missing_event_id) g.missing_event_id,"
                       "  coalesce(l.anchor, e.anchor), coalesce(l.sub, e.sub)"
                       " from gaps g join events e on e.event_nid = g.later_event_nid"
                       "  left join late_events l on l.event_nid = g.later_event_nid"
                       " where g.room_nid = $1 and g.missing_event_id = any($2::bytea[]) and e.anchor is not null"
                       " order by 1, 2, 3 limit $3",
                       room, event_id_array(arriving), arriving.size()))
    found.push_back(
        {EventId::from_db(read_bytes(row[0])), read_int<StreamPosition>(row[1]), row[2].as<std::int32_t>()});
  return found;
}

void place_late_events(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub,
                       std::span<const EventNid> events) {
  const auto count = static_cast<std::int32_t>(events.size());
  const std::int32_t below = free_below(connection, room, anchor, sub, events.size());
  connection.exec(
      "insert into late_events (event_nid, room_nid, anchor, sub)"
      " select n.nid, $2, $3, $4::int + n.place::int from unnest($1::bigint[]) with ordinality n(nid, place)"
      " on conflict do nothing",
      int_array_of(events), room, anchor, below - count - 1);
}

std::int32_t free_below(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub,
                        std::size_t count) {
  const auto rows = connection.exec(
      "select max(sub), min(sub) from ("
      " (select sub from events where room_nid = $1 and anchor = $2 and sub < $3 order by sub desc limit 1) union all"
      " (select sub from events where room_nid = $1 and anchor = $2 and sub < $3 order by sub limit 1) union all"
      " (select sub from late_events where room_nid = $1 and anchor = $2 and sub < $3 order by sub desc limit 1)"
      " union all"
      " (select sub from late_events where room_nid = $1 and anchor = $2 and sub < $3 order by sub limit 1)) taken",
      room, anchor, sub);
  if (rows[0][0].is_null()) return sub;
  const std::int64_t room_between = std::int64_t{sub} - rows[0][0].as<std::int32_t>() - 1;
  return room_between >= static_cast<std::int64_t>(count) ? sub : rows[0][1].as<std::int32_t>();
}

}  // namespace causeway::db
