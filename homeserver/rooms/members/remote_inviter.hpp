// Local users' invites to users of other servers.
//
// spec: server-server-api#inviting-to-a-room
#pragma once

#include "homeserver/rooms/receiving/inbound_events.hpp"
#include "homeserver/rooms/requests.hpp"

namespace causeway {

class RemoteInviter {
 public:
  struct Services {
    Interner& interner;
    RoomHeads& heads;
    RoomBuilder& builder;
    InboundEvents& inbound;
    const BoundRemoteServers& remote;
    const LocalServer& self;
  };
  explicit RemoteInviter(Services services) : services_(services) {}

  // The invited user's server signs the invite before anybody else sees it. M_FORBIDDEN, and what that server answers.
  Task<Result<EventId>> invite(ChangeMembership request, boost::json::object content);

 private:
  Task<std::vector<EventPtr>> stripped_state(RoomHead& head, UserId inviter);

  Services services_;
};

}  // namespace causeway
