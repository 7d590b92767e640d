#include "schema/db/tables/room_state.hpp"

#include <stdexcept>

namespace causeway::db {

namespace {

// $1 room, $2 line, $3 version: the line and those it comes from, the nearest first, each with the version to read it
// at. It ends because a parent's number is less than its child's (a constraint of the table).
const std::string with_lines =
    "with recursive lines (distance, line, version) as ("
    "  select 0, $2::int, $3::int"
    "  union all"
    "  select l.distance + 1, s.parent_line, s.parent_version"
    "  from lines l join state_lines s on s.room_nid = $1 and s.line = l.line"
    "  where s.parent_line is not null"
    ") ";

std::vector<StateEntry> read_entries(const pqxx::result& rows) {
  if (static_cast<std::int64_t>(rows.size()) > max_state_entries)
    throw std::length_error("a room's state has more entries than this server reads");
  std::vector<StateEntry> entries;
  entries.reserve(rows.size());
  for (const auto& row : rows)
    entries.emplace_back(read_int<StateKeyNid>(row[0]), read_int<EventNid>(row[1]));
  return entries;
}

}  // namespace

std::vector<StateEntry> state_at(Connection& connection, RoomNid room, std::int32_t line, std::int32_t version) {
  // The main line has no parent, so nothing needs sorting.
  if (line == 0)
    return read_entries(
        connection.exec("select state_key_nid, event_nid from room_state "
                        "where room_nid = $1 and line = 0 and from_version <= $2 and to_version > $2"
                        "  and event_nid <> 0 limit $3",
                        room, version, max_state_entries + 1));
  static const std::string sql = with_lines +
                                 "select state_key_nid, event_nid from ("
                                 "  select distinct on (r.state_key_nid) r.state_key_nid, r.event_nid"
                                 "  from lines l join room_state r on r.room_nid = $1 and r.line = l.line"
                                 "    and r.from_version <= l.version and r.to_version > l.version"
                                 "  order by r.state_key_nid, l.distance"
                                 ") nearest where event_nid <> 0 limit $4";
  return read_entries(connection.exec(sql.c_str(), room, line, version, max_state_entries + 1));
}

std::vector<std::vector<StateEntry>> main_line_states(Connection& connection, std::span<const MainLinePlace> places,
                                                      std::int64_t at_once) {
  std::vector<std::vector<StateEntry>> states;
  states.reserve(places.size());
  while (states.size() < places.size()) {
    const auto left = places.subspan(states.size());
    const auto rows = connection.exec(
        "select r.state_key_nid, r.event_nid, asked.place "
        "from unnest($1::bigint[], $2::int[]) with ordinality as asked (room, version, place) "
        "join room_state r on r.room_nid = asked.room and r.line = 0"
        "  and r.from_version <= asked.version and r.to_version > asked.version "
        "where r.event_nid <> 0 order by asked.place limit $3",
        int_array_of(left, &MainLinePlace::room), int_array_of(left, &MainLinePlace::version), at_once + 1);
    // The last one may have been cut off.
    std::size_t complete = left.size();
    if (static_cast<std::int64_t>(rows.size()) > at_once) complete = rows[rows.size() - 1][2].as<std::size_t>() - 1;
    if (complete == 0) {
      states.push_back(state_at(connection, left.front().room, 0, left.front().version));
      continue;
    }
    const std::size_t before = states.size();
    states.resize(before + complete);
    for (const auto& row : rows) {
      const std::size_t place = row[2].as<std::size_t>();
      if (place > complete) break;
      states[before + place - 1].emplace_back(read_int<StateKeyNid>(row[0]), read_int<EventNid>(row[1]));
    }
  }
  return states;
}

std::vector<EventNid> state_holders(Connection& connection, RoomNid room, std::int32_t line, std::int32_t version,
                                    std::span<const StateKeyNid> keys) {
  static const std::string sql =
      with_lines +
      "select coalesce(("
      "  select r.event_nid from lines l cross join lateral ("
      "    select event_nid from room_state"
      "    where room_nid = $1 and line = l.line and state_key_nid = asked.key and from_version <= l.version"
      "    order by from_version desc limit 1) r"
      "  order by l.distance limit 1), 0) "
      "from unnest($4::bigint[]) with ordinality asked (key, place) order by asked.place limit $5";
  const auto rows = connection.exec(sql.c_str(), room, line, version, int_array_of(keys), keys.size());
  std::vector<EventNid> holders;
  holders.reserve(rows.size());
  for (const auto& row : rows)
    holders.push_back(read_int<EventNid>(row[0]));
  return holders;
}

std::vector<StateEntry> state_changes(Connection& connection, RoomNid room, std::int32_t line, std::int32_t from,
                                      std::int32_t to) {
  // On the main line, which has no parent, a missing row means that the key was not set.
  return read_entries(connection.exec(
      "select now.state_key_nid, now.event_nid from room_state now "
      "left join room_state before on before.room_nid = $1 and before.line = $2"
      "  and before.state_key_nid = now.state_key_nid and before.from_version <= $3 and before.to_version > $3 "
      "where now.room_nid = $1 and now.line = $2"
      "  and now.from_version > $3 and now.from_version <= $4 and now.to_version > $4"
      "  and now.event_nid is distinct from"
      "    case when $2 = 0 then coalesce(before.event_nid, 0) else before.event_nid end "
      "limit $5",
      room, line, from, to, max_state_entries + 1));
}

}  // namespace causeway::db
