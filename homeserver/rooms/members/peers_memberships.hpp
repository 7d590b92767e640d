// Memberships of other servers' users in rooms that this server is in. Of the room's ACL the caller asks.
//
// spec: server-server-api#joining-rooms, server-server-api#leaving-rooms-rejecting-invites
#pragma once

#include <string>
#include <vector>

#include "homeserver/rooms/members/join_reply.hpp"
#include "homeserver/rooms/members/restricted_joins.hpp"
#include "homeserver/rooms/receiving/inbound_events.hpp"

namespace causeway {

class PeersMemberships {
 public:
  struct Services {
    EventStore& events;
    RoomReader& reader;
    RoomHeads& heads;
    RoomBuilder& builder;
    InboundEvents& inbound;
    RestrictedJoins& restricted;
    const LocalServer& self;
  };
  explicit PeersMemberships(Services services) : services_(services) {}

  // What a peer's user may sign; auth events and head are the committed ones. M_NOT_FOUND, M_FORBIDDEN,
  // M_UNABLE_TO_AUTHORISE_JOIN, M_UNABLE_TO_GRANT_JOIN, M_INCOMPATIBLE_ROOM_VERSION.
  Task<Result<EventTemplate>> make_template(RoomId room, UserId user, std::string membership,
                                            std::vector<std::string> supported_versions);
  // Appends. M_RESOURCE_LIMIT_EXCEEDED: the state and its auth chain are too much to tell, so the join is not taken.
  Task<Result<JoinReply>> accept_join(ServerName origin, VerifiedEvent join);
  Task<Result<>> accept_leave(ServerName origin, VerifiedEvent leave);

 private:
  // What a join is answered with: the state before it, and the auth chain of that and of the join.
  struct JoinState {
    StateRef at;
    std::vector<StoredEventPtr> state, auth_chain;
  };
  Task<Result<JoinState>> join_state(RoomInfoPtr room, StateRef at, EventPtr join);
  Task<Result<StoredEventPtr>> accept(EventPtr event);
  Task<Result<EventPtr>> countersign_restricted_join(EventPtr join);
  Task<Result<>> recheck_restricted_join(EventPtr join);
  Task<Result<>> check_join_now(RoomInfoPtr room, EventPtr join);

  Services services_;
};

}  // namespace causeway
