// Table staged_pdus: inbound PDUs that were answered with 200 but wait for events that are still missing.
#pragma once

#include <string>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

struct StagedPdu {
  EventId event_id;
  RoomId room_id;
  ServerName origin;
  std::string json;
  Timestamp received_ts = 0;
};

// False when the room has `room_limit` staged already, or `origin_limit` of this origin. One that is there already is
// left as it is.
bool stage_pdu(Connection& connection, const StagedPdu& pdu, std::size_t room_limit, std::size_t origin_limit);

// The oldest of a room but for some; the origins take turns.
std::vector<StagedPdu> staged_pdus(Connection& connection, const RoomId& room, const std::vector<EventId>& without,
                                   std::size_t limit);

// Rooms with staged PDUs, those after `after` in the order of their bytes.
std::vector<RoomId> rooms_with_staged_pdus(Connection& connection, const std::string& after, std::size_t limit);

void unstage_pdus(Connection& connection, const std::vector<EventId>& ids);

}  // namespace causeway::db
