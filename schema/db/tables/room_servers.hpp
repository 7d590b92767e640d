// Table room_servers: from which position to which a server was in a room.
#pragma once

#include <limits>
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

// A server and one stay of it.
struct RoomServer {
  ServerNid server{};
  StreamPosition from = 0;
  StreamPosition to = std::numeric_limits<StreamPosition>::max();
};
// Those that were in the room at or after `since`; at most 100,000.
std::vector<RoomServer> room_servers(Connection& connection, RoomNid room, StreamPosition since);

}  // namespace causeway::db
