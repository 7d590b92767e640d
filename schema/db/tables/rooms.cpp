#include "schema/db/tables/rooms.hpp"

namespace causeway::db {

void add(WriteBatch& batch, const PublicationChange& change, StreamPosition) {
  batch.rows<TypedRows<IntColumn, IntColumn>>({"publish_rooms", WriteFunction::Turn::of_rooms})
      .add(change.room, change.published);
}

namespace {

RoomRow read_room(const pqxx::row& row) {
  RoomRow room;
  room.nid = read_int<RoomNid>(row[0]);
  room.id = RoomId::trusted(read_bytes(row[1]));
  room.version = row[2].c_str();
  room.state_version = row[3].as<std::int32_t>();
  room.next_line = row[4].as<std::int32_t>();
  for (std::int64_t nid : read_ints(row[5]))
    room.extremities.push_back(EventNid{nid});
  room.resident = row[6].as<bool>();
  room.published = row[7].as<bool>();
  room.last_position = row[8].as<std::int64_t>(0);
  return room;
}

}  // namespace

std::optional<RoomRow> find_room(Connection& connection, const RoomId& id) {
  const auto rows = connection.exec(
      "select room_nid, room_id, version, state_version, next_line, extremities, resident, published, "
      "(select max(anchor) from events e where e.room_nid = r.room_nid and anchor is not null and sub = 0) "
      "from rooms r where room_id = $1 limit 1",
      Bytes(id.str()));
  if (rows.empty()) return std::nullopt;
  return read_room(rows[0]);
}

std::optional<RoomRow> find_room(Connection& connection, RoomNid nid) {
  auto rooms = find_rooms(connection, std::span(&nid, 1));
  if (rooms.empty()) return std::nullopt;
  return std::move(rooms.front());
}

std::vector<RoomRow> find_rooms(Connection& connection, std::span<const RoomNid> nids) {
  const auto rows = connection.exec(
      "select room_nid, room_id, version, state_version, next_line, extremities, resident, published, "
      "(select max(anchor) from events e where e.room_nid = r.room_nid and anchor is not null and sub = 0) "
      "from rooms r where room_nid = any($1::bigint[]) limit cardinality($1::bigint[])",
      int_array_of(nids));
  std::vector<RoomRow> out;
  out.reserve(rows.size());
  for (const auto& row : rows)
    out.push_back(read_room(row));
  return out;
}

}  // namespace causeway::db
