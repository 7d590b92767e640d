// Users who want no invites, or have enough of them. spec: client-server-api#invite-permission
#pragma once

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/runtime/local_server.hpp"

namespace causeway {

class InvitePermission {
 public:
  InvitePermission(db::Database& database, Interner& interner, EventStore& events, RoomReader& reader,
                   const LocalServer& self)
      : database_(database), interner_(interner), events_(events), reader_(reader), self_(self) {}

  // M_INVITE_BLOCKED: a local user who wants no invites.
  Task<Result<>> check(UserId user);
  // Bytes of a room's state that may be kept with one more invite by a user of that server. M_FORBIDDEN: too many are
  // open.
  Task<Result<std::size_t>> space_for_invite(UserNid user, ServerName inviter);

 private:
  db::Database& database_;
  Interner& interner_;
  EventStore& events_;
  RoomReader& reader_;
  const LocalServer& self_;
};

}  // namespace causeway
