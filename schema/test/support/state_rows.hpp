// Rows of room_state and state_lines as the writer makes them, for tests of what reads them.
#pragma once

#include <optional>
#include <utility>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::test {

// A line that starts from (line, version) of its parent, or from nothing.
void insert_state_line(db::Connection& connection, RoomNid room, std::int32_t line,
                       std::optional<std::pair<std::int32_t, std::int32_t>> parent);

// From this version on the event holds the key; 0: nothing does.
void insert_state_change(db::Connection& connection, RoomNid room, std::int32_t line, std::int32_t from_version,
                         StateKeyNid key, EventNid event);

}  // namespace causeway::test
