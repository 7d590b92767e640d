#include "homeserver/rooms/members/remote_leaver.hpp"

#include "homeserver/rooms/members/servers_to_try.hpp"
#include "schema/log.hpp"

namespace causeway {

Task<Result<RemoteLeaver::Outcome>> RemoteLeaver::leave(ChangeMembership request, RoomInfoPtr room) {
  auto membership = co_await services_.reader.membership(request.sender.nid, room->nid);
  if (!membership) co_return make_error(ErrorCode::forbidden, "You are not in this room.");
  if (membership->membership == db::Membership::leave) co_return Outcome::left;
  if (membership->membership == db::Membership::ban)
    co_return make_error(ErrorCode::forbidden, "You are banned from this room.");
  const bool abandoned = co_await is_abandoned(room, request.sender.user, *membership);
  if (abandoned) co_return Outcome::abandoned;
  auto servers = co_await servers_to_try(services_.reader, services_.events, services_.self.name, request, room);
  MembershipTemplate wanted;
  wanted.room_id = request.room;
  wanted.user = request.target;
  wanted.membership = "leave";
  if (request.reason) wanted.content["reason"] = *request.reason;
  auto left = co_await services_.remote->leave(std::move(wanted), std::move(servers));
  // NOTSPEC: an invite can be declined although no server of the room answers; the user must not be stuck with it.
  if (!left) log::warn("room {}: left without telling it: {}", request.room.str(), left.error().message);
  {
    auto lock = co_await services_.heads.enter(request.room);
    if (!lock) co_return lock.error();
    if (!lock->known() || !lock->head().in_room(services_.self.name)) {
      if (!left) left = co_await services_.foreign.own_leave(request, *membership);
      if (!left) co_return left.error();
      auto ended = co_await services_.foreign.end(*lock, request.sender.nid, std::move(*membership), std::move(*left));
      if (!ended) co_return ended.error();
      co_return Outcome::left;
    }
  }
  co_return Outcome::resident;
}

// The user's membership is part of the state here, and nobody is in the room who could be asked: nothing of it can have
// passed this server by.
Task<bool> RemoteLeaver::is_abandoned(RoomInfoPtr room, UserId user, RoomMembership membership) {
  auto members = co_await services_.reader.members(room->nid);
  if (members->joined > 0) co_return false;
  StateKey key("m.room.member", user.str());
  auto own = co_await services_.reader.state_event(room->nid, room->state, std::move(key));
  co_return own && own->nid == membership.event;
}

}  // namespace causeway
