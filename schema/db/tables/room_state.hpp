// Tables room_state and state_lines, read: what a room's state was at any version of any line. Written by the writer
// alone (0002_writer.sql).
//
// A row of room_state says that event_nid holds a key on a line for from_version <= version < to_version. The rows of a
// key on a line follow each other without a gap: a change closes the open one (to_version 2147483647), and what takes a
// key away is a row with event_nid 0, also where the parent line has the key. A line without a row in state_lines, or
// whose row has no parent, starts from nothing.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

using StateEntry = std::pair<StateKeyNid, EventNid>;

// More entries than any room's state has; reading more of one room throws std::length_error.
inline constexpr std::int64_t max_state_entries = 5'000'000;
// So many are read in one statement, whatever number of rooms they are of.
inline constexpr std::int64_t state_entries_at_once = 500'000;

// Every key that is set there, with its holder. In no order.
std::vector<StateEntry> state_at(Connection& connection, RoomNid room, std::int32_t line, std::int32_t version);

// The same of the main lines of many rooms, in the order asked.
struct MainLinePlace {
  RoomNid room{};
  std::int32_t version = 0;
};
std::vector<std::vector<StateEntry>> main_line_states(Connection& connection, std::span<const MainLinePlace> places,
                                                      std::int64_t at_once = state_entries_at_once);

// The holders of some keys there, in the order asked; 0 where a key is not set.
std::vector<EventNid> state_holders(Connection& connection, RoomNid room, std::int32_t line, std::int32_t version,
                                    std::span<const StateKeyNid> keys);

// The keys set on a line itself after version `from`, up to and with `to`, with what they hold at `to`; 0: taken away.
// Keys that the line gave back to whom it had at `from` are left out.
std::vector<StateEntry> state_changes(Connection& connection, RoomNid room, std::int32_t line, std::int32_t from,
                                      std::int32_t to);

}  // namespace causeway::db
