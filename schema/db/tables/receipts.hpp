// Table receipts. Written by the group-commit writer alone, which gives the positions.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "schema/db/write_batch.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// A kind of stream data (homeserver/stream/change.hpp).
struct ReceiptChange {
  RoomNid room{};
  UserNid user{};
  UserId user_id;
  RoomId room_id;
  std::string receipt_type;
  std::string thread_id;  // "" for unthreaded
  EventId event_id;
  Timestamp ts = 0;
  bool local = true;            // of one of our users: goes out over federation
  StreamPosition position = 0;  // once committed
};
void add(WriteBatch& batch, const ReceiptChange& change, StreamPosition offset);
inline std::size_t weight_bytes(const ReceiptChange& change) {
  return change.event_id.str().size() + change.thread_id.size();
}

struct ReceiptRow {
  RoomNid room{};
  UserId user;
  std::string receipt_type;
  std::string thread_id;  // "" for unthreaded
  EventId event_id;
  Timestamp ts = 0;
  StreamPosition position = 0;
};

// Those of the rooms with since < position <= until, ascending; private ones of other users left out. Of each room the
// newest `limit_per_room`.
std::vector<ReceiptRow> receipts_changed(Connection& connection, const std::vector<RoomNid>& rooms,
                                         StreamPosition since, StreamPosition until, UserNid for_user,
                                         std::size_t limit_per_room);

// The event that the user's receipt of this type and thread stands at.
std::optional<EventId> receipt_event(Connection& connection, RoomNid room, UserNid user,
                                     const std::string& receipt_type, const std::string& thread_id);

}  // namespace causeway::db
