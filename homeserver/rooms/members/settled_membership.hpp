#pragma once

#include <optional>

#include "homeserver/rooms/head/room_head.hpp"

namespace causeway {

// A local user's, once nothing of the room is in flight; nothing where there is none. M_UNKNOWN (503): the room is
// busy.
Task<Result<std::optional<RoomMembership>>> settled_membership(RoomHeads& heads, RoomReader& reader, RoomLock& lock,
                                                               UserNid user);

}  // namespace causeway
