#include "schema/db/tables/room_timelines.hpp"

namespace causeway::db {

std::vector<StateSpan> main_line_spans(Connection& connection, RoomNid room, std::span<const StateKeyNid> keys,
                                       std::int32_t first, std::int32_t last) {
  const auto rows = connection.exec(
      "select state_key_nid, from_version, to_version, event_nid from room_state "
      "where room_nid = $1 and line = 0 and state_key_nid = any($2::bigint[]) and to_version > $3 and from_version <= "
      "$4 "
      "order by from_version desc limit $5",
      room, int_array_of(keys), first, last, max_state_spans);
  std::vector<StateSpan> out;
  out.reserve(rows.size());
  for (const auto& row : rows)
    out.push_back({read_int<StateKeyNid>(row[0]), row[1].as<std::int32_t>(), row[2].as<std::int32_t>(),
                   read_int<EventNid>(row[3])});
  return out;
}

std::vector<NameRow> current_names(Connection& connection, std::span<const RoomNid> rooms) {
  const auto rows = connection.exec(
      "select s.room_nid, e.json from state_keys k join room_state s using (state_key_nid)"
      " join events e on e.event_nid = s.event_nid "
      "where k.type in ('m.room.name', 'm.room.canonical_alias') and k.state_key = ''"
      " and s.room_nid = any($1::bigint[]) and s.line = 0 and s.to_version = 2147483647 limit $2",
      int_array_of(rooms), 2 * rooms.size());
  std::vector<NameRow> out;
  for (const auto& row : rows)
    out.push_back({read_int<RoomNid>(row[0]), read_bytes(row[1])});
  return out;
}

std::vector<MemberRow> current_members(Connection& connection, std::span<const RoomNid> rooms) {
  const auto rows = connection.exec(
      "select r.room_nid, r.state_version, k.state_key, s.event_nid, e.json from rooms r "
      "join room_state s using (room_nid) join state_keys k using (state_key_nid) "
      "join events e on e.event_nid = s.event_nid "
      "where r.room_nid = any($1::bigint[]) and s.line = 0 and s.to_version = 2147483647 "
      "and k.type = 'm.room.member' limit $2",
      int_array_of(rooms), max_members);
  std::vector<MemberRow> out;
  out.reserve(rows.size());
  for (const auto& row : rows)
    out.push_back({read_int<RoomNid>(row[0]), row[1].as<std::int32_t>(), read_bytes(row[2]), read_int<EventNid>(row[3]),
                   read_bytes(row[4])});
  return out;
}

}  // namespace causeway::db
