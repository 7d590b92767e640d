#include "schema/db/tables/late_events.hpp"

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

std::int32_t free_below(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub,
                        std::size_t count) {
  return read_int<std::int32_t>(connection.exec("select free_below($1, $2, $3, $4)", room, anchor, sub, count)[0][0]);
}

}  // namespace causeway::db
