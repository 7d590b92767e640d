// Tables servers, users, state_keys and the number sequences: 64-bit numbers for strings that are stored once.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

using TypeAndStateKey = std::pair<std::string, std::string>;

// Numbers in the order given; what is new gets a row. One round trip each.
std::vector<ServerNid> intern_servers(Connection& connection, std::span<const ServerName> names);
std::vector<UserNid> intern_users(Connection& connection, std::span<const UserId> ids);
std::vector<StateKeyNid> intern_state_keys(Connection& connection, std::span<const TypeAndStateKey> keys);

// Numbers in the order given, 0 for what has none: nothing is added.
std::vector<StateKeyNid> find_state_keys(Connection& connection, std::span<const TypeAndStateKey> keys);

// Pairs in no order; numbers that do not exist are left out.
std::vector<std::pair<ServerNid, ServerName>> server_names(Connection& connection, std::span<const ServerNid> nids);
std::vector<std::pair<StateKeyNid, TypeAndStateKey>> state_key_names(Connection& connection,
                                                                     std::span<const StateKeyNid> nids);

// Event numbers never given before: [begin, end).
struct EventNidBlock {
  std::int64_t begin = 0, end = 0;
};
EventNidBlock next_event_nid_block(Connection& connection);
RoomNid next_room_nid(Connection& connection);

}  // namespace causeway::db
