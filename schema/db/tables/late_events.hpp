// Table late_events: where /messages shows live events that came late. Written with their rooms (room_writes.hpp).
#pragma once

#include <span>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// Which of these events fill a gap, each with the place of the first event that names it.
struct FilledGap {
  EventId missing;
  StreamPosition anchor = 0;
  std::int32_t sub = 0;
};
std::vector<FilledGap> filled_gaps(Connection& connection, RoomNid room, std::span<const EventId> arriving);

// From which `sub` to count down for `count` places before this one that are nobody's: right before it if they fit.
std::int32_t free_below(Connection& connection, RoomNid room, StreamPosition anchor, std::int32_t sub,
                        std::size_t count);

}  // namespace causeway::db
