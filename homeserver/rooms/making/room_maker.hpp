// Makes rooms: all events of a new room as one unit, in the order of the specification.
//
// spec: client-server-api#post_matrixclientv3createroom
#pragma once

#include "homeserver/rooms/making/aliases.hpp"
#include "homeserver/rooms/making/room_plan.hpp"
#include "homeserver/rooms/members/memberships.hpp"

namespace causeway {

// A room that only needs to be committed.
struct BegunRoom {
  BegunRoom(RoomId id, RoomLock held, WriteUnitPtr first)
      : room(std::move(id)), lock(std::move(held)), unit(std::move(first)) {}
  RoomId room;
  RoomLock lock;
  WriteUnitPtr unit;
};

class RoomMaker {
 public:
  struct Services {
    Interner& interner;
    RoomHeads& heads;
    RoomBuilder& builder;
    MemberProfiles& profiles;
    InvitePermission& permission;
    Memberships& memberships;
    Aliases& aliases;
    const Clock& clock;
    const LocalServer& self;
  };
  explicit RoomMaker(Services services) : services_(services) {}

  // M_ROOM_IN_USE: the alias is taken; M_INVALID_ROOM_STATE, and what plan_room() and check_plan() answer. Users of
  // other servers are invited as far as these let them.
  Task<Result<RoomId>> create(CreateRoom request);

  // For a room that replaces another. `chosen`: its ID, where the version lets it be chosen and it must be known
  // before.
  Task<Result<BegunRoom>> begin(const CreateRoom& request, std::optional<RoomId> chosen);
  RoomId choose_id() const;

 private:
  Task<Result<BegunRoom>> begin_planned(const CreateRoom& request, RoomPlan& plan, std::optional<RoomId> chosen);
  Task<std::vector<LocalDraft>> first_events(const CreateRoom& request, RoomPlan& plan);
  Task<WriteUnitPtr> first_unit(RoomLock& lock, const RoomPlan& plan, NewEventPtr create, const CreateRoom& request);
  Task<Result<>> invite_into(RoomId room, const CreateRoom& request, UserId invited);

  Services services_;
};

}  // namespace causeway
