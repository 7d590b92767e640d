#include "schema/test/support/state_rows.hpp"

namespace causeway::test {

void insert_state_line(db::Connection& connection, RoomNid room, std::int32_t line,
                       std::optional<std::pair<std::int32_t, std::int32_t>> parent) {
  std::optional<std::int32_t> parent_line, parent_version;
  if (parent) std::tie(parent_line, parent_version) = *parent;
  connection.exec("insert into state_lines values ($1, $2, $3, $4)", room, line, parent_line, parent_version);
}

void insert_state_change(db::Connection& connection, RoomNid room, std::int32_t line, std::int32_t from_version,
                         StateKeyNid key, EventNid event) {
  connection.exec(
      "with closed as ("
      "  update room_state set to_version = $3"
      "  where room_nid = $1 and line = $2 and state_key_nid = $4 and to_version = 2147483647) "
      "insert into room_state (room_nid, line, from_version, state_key_nid, event_nid) values ($1, $2, $3, $4, $5)",
      room, line, from_version, key, event);
}

}  // namespace causeway::test
