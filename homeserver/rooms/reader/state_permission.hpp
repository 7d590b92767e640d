#pragma once

#include "homeserver/rooms/reader/room_reader.hpp"

namespace causeway {

// Whether a user is a member with the power that this type of state takes, by what is committed.
Task<bool> may_set_state(RoomReader& reader, RoomInfoPtr room, UserId user, const char* type);

}  // namespace causeway
