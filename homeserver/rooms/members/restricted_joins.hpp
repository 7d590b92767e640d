// Joins to rooms that admit the members of other rooms.
//
// spec: client-server-api#restricted-rooms
#pragma once

#include <optional>

#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/runtime/local_server.hpp"

namespace causeway {

class RestrictedJoins {
 public:
  RestrictedJoins(RoomReader& reader, RoomHeads& heads, const LocalServer& self)
      : reader_(reader), heads_(heads), self_(self) {}

  // In the room's lane. Nothing when the user, whose membership is `current`, needs no such authorisation; else a local
  // user who may give it. M_FORBIDDEN, M_UNABLE_TO_AUTHORISE_JOIN: none of the rooms is known here;
  // M_UNABLE_TO_GRANT_JOIN: no local user may.
  Task<Result<std::optional<UserId>>> authorise(RoomHead& head, UserId user, db::Membership current);

 private:
  RoomReader& reader_;
  RoomHeads& heads_;
  const LocalServer& self_;
};

}  // namespace causeway
