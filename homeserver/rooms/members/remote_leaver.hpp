// Leaving rooms that this server is not in: declined invites, and what is left of a stay that ended elsewhere.
//
// spec: server-server-api#leaving-rooms-rejecting-invites
#pragma once

#include "homeserver/rooms/members/foreign_memberships.hpp"
#include "homeserver/rooms/remote_servers.hpp"

namespace causeway {

class RemoteLeaver {
 public:
  struct Services {
    EventStore& events;
    RoomReader& reader;
    RoomHeads& heads;
    ForeignMemberships& foreign;
    const BoundRemoteServers& remote;
    const LocalServer& self;
  };
  explicit RemoteLeaver(Services services) : services_(services) {}

  enum class Outcome {
    left,
    abandoned,  // nobody is in the room who could be asked: it can be left by an event on what is known here
    resident,   // this server has come into the room while others were asked
  };
  // M_FORBIDDEN: not in the room, or banned.
  Task<Result<Outcome>> leave(ChangeMembership request, RoomInfoPtr room);

 private:
  Task<bool> is_abandoned(RoomInfoPtr room, UserId user, RoomMembership membership);

  Services services_;
};

}  // namespace causeway
