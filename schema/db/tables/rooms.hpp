// Table rooms: one row per room this server knows, with its committed head.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/db/write_batch.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

struct RoomRow {
  RoomNid nid{};
  RoomId id;
  std::string version;
  std::int32_t state_version = 0;
  std::int32_t next_line = 1;
  std::vector<EventNid> extremities;
  bool resident = false;
  bool published = false;
  StreamPosition last_position = 0;  // of the newest live event; 0: none
};

// A kind of stream data (homeserver/stream/change.hpp): whether the room is in this server's directory.
struct PublicationChange {
  RoomNid room{};
  bool published = false;
  StreamPosition position = 0;  // once committed
};
void add(WriteBatch& batch, const PublicationChange& change, StreamPosition offset);
inline std::size_t weight_bytes(const PublicationChange&) {
  return 0;
}

std::optional<RoomRow> find_room(Connection& connection, const RoomId& id);
std::optional<RoomRow> find_room(Connection& connection, RoomNid nid);
// Any order; those that don't exist are left out.
std::vector<RoomRow> find_rooms(Connection& connection, std::span<const RoomNid> nids);

}  // namespace causeway::db
