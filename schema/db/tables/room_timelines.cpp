#include "schema/db/tables/room_timelines.hpp"

#include <stdexcept>

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

namespace {

// A string as JSON writes it.
std::optional<Membership> read_membership(const pqxx::field& field) {
  const std::string_view text(field.c_str(), field.size());
  if (text.size() < 2 || !text.starts_with('"') || !text.ends_with('"')) return std::nullopt;
  return parse_membership(text.substr(1, text.size() - 2));
}

}  // namespace

// The membership is read here, so that no event has to be brought over for it. PostgreSQL refuses JSON with U+0000, so
// that is replaced; where a backslash comes before it that is a change of other text, which is not looked at.
std::size_t current_members(Connection& connection, std::span<const RoomNid> rooms, std::size_t at_once,
                            std::vector<MemberRow>& members) {
  members.clear();
  const auto read = [&](std::span<const RoomNid> some, std::size_t limit) {
    return connection.exec(
        "select asked.place, r.room_nid, r.state_version, k.state_key, s.event_nid,"
        "  replace(convert_from(e.json, 'UTF8'), '\\u0000', '\\ufffd')::json -> 'content' -> 'membership' "
        "from unnest($1::bigint[]) with ordinality as asked (room, place) join rooms r on r.room_nid = asked.room "
        "join room_state s using (room_nid) join state_keys k using (state_key_nid) "
        "join events e on e.event_nid = s.event_nid "
        "where s.line = 0 and s.to_version = 2147483647 and k.type = 'm.room.member' order by asked.place limit $2",
        int_array_of(some), limit);
  };
  std::size_t complete = rooms.size();
  auto rows = read(rooms, at_once + 1);
  if (rows.size() > at_once) complete = rows[rows.size() - 1][0].as<std::size_t>() - 1;
  if (complete == 0) {
    rows = read(rooms.first(1), max_members + 1);
    if (rows.size() > max_members) throw std::length_error("a room has more members than this server reads");
    complete = 1;
  }
  members.reserve(rows.size());
  for (const auto& row : rows) {
    if (row[0].as<std::size_t>() > complete) break;
    members.push_back({read_int<RoomNid>(row[1]), row[2].as<std::int32_t>(), read_bytes(row[3]),
                       read_int<EventNid>(row[4]), read_membership(row[5])});
  }
  return complete;
}

}  // namespace causeway::db
