// Table room_servers: from which position to which a server was in a room.
#pragma once

#include <optional>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

inline constexpr int max_server_stays = 10'000;

// The server was in the room for events with from < position <= to.
struct ServerStay {
  StreamPosition from = 0;
  StreamPosition to = 0;
};
std::vector<ServerStay> stays_of_server(Connection& connection, RoomNid room, const ServerName& server);

}  // namespace causeway::db
