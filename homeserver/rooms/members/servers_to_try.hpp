#pragma once

#include <vector>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/rooms/requests.hpp"

namespace causeway {

// Who may know a room that this server is not in: the servers named, the inviter's, those known to have been in it
// (`room`: nullptr where it is unknown), and that of the room's ID. Never this server itself.
Task<std::vector<ServerName>> servers_to_try(RoomReader& reader, EventStore& events, ServerName self,
                                             const ChangeMembership& request, RoomInfoPtr room);

}  // namespace causeway
