// Invites of local users by other servers.
//
// spec: server-server-api#inviting-to-a-room
#pragma once

#include <boost/json/array.hpp>

#include "homeserver/rooms/head/room_purger.hpp"
#include "homeserver/rooms/members/foreign_memberships.hpp"
#include "homeserver/rooms/members/invite_permission.hpp"
#include "homeserver/rooms/remote_servers.hpp"

namespace causeway {

class InvitesFromPeers {
 public:
  struct Services {
    Interner& interner;
    EventWriter& writer;
    RoomHeads& heads;
    RoomPurger& purger;
    InvitePermission& permission;
    ForeignMemberships& foreign;
    const Clock& clock;
    const LocalServer& self;
  };
  explicit InvitesFromPeers(Services services) : services_(services) {}

  // The invite, signed by us. The room may be unknown here; what is told of it is kept with the invite.
  Task<Result<EventPtr>> accept(ServerName origin, VerifiedEvent invite, boost::json::array stripped_state);

 private:
  // The room's number, in `unit`, which makes the room where it is unknown. M_FORBIDDEN: it is known as one of another
  // version.
  Task<Result<>> put_room_in(WriteUnit& unit, RoomLock& lock, const Event& invite);

  Services services_;
};

}  // namespace causeway
