// Joins, invites, leaves, kicks and bans of local users, here or over federation.
//
// spec: client-server-api#room-membership
#pragma once

#include "homeserver/rooms/members/carried_settings.hpp"
#include "homeserver/rooms/members/invite_permission.hpp"
#include "homeserver/rooms/members/member_profiles.hpp"
#include "homeserver/rooms/members/remote_inviter.hpp"
#include "homeserver/rooms/members/remote_joiner.hpp"
#include "homeserver/rooms/members/remote_leaver.hpp"
#include "homeserver/rooms/members/restricted_joins.hpp"

namespace causeway {

class Memberships {
 public:
  struct Services {
    Interner& interner;
    EventStore& events;
    EventWriter& writer;
    RoomReader& reader;
    RoomHeads& heads;
    LaneWriter& lane;
    MemberProfiles& profiles;
    RestrictedJoins& restricted;
    InvitePermission& permission;
    ForeignMemberships& foreign;
    RemoteInviter& inviter;
    RemoteJoiner& joiner;
    RemoteLeaver& leaver;
    CarriedSettings& settings;
    const LocalServer& self;
  };
  explicit Memberships(Services services) : services_(services) {}

  Task<Result<>> change(ChangeMembership request);
  // PUT /state of a membership: the same event, with the invited user's server asked first where that is another, and
  // the authorisation that a restricted room wants.
  Task<Result<EventId>> send(SendEvent request);
  // spec: client-server-api#post_matrixclientv3roomsroomidforget
  Task<Result<>> forget(Sender user, RoomId room);

 private:
  Task<Result<>> join(ChangeMembership request);
  Task<Result<>> join_over_federation(ChangeMembership request, boost::json::object content, RoomInfoPtr room);
  Task<Result<EventId>> append_join(RoomHead& head, WriteUnit& unit, LocalDraft draft, db::Membership current);
  Task<Result<>> invite(ChangeMembership request);
  Task<Result<>> leave(ChangeMembership request);
  Task<Result<>> leave_resident_room(ChangeMembership request, RoomInfoPtr room);
  Task<Result<>> leave_known_room(ChangeMembership request, LaneWriter::Presence presence);
  Task<Result<>> change_locally(ChangeMembership request);
  Task<boost::json::object> content_of(ChangeMembership request);

  Services services_;
};

}  // namespace causeway
