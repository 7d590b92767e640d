// Local users' invites to users of other servers, and leaving rooms that this server is not in.
#include <spdlog/spdlog.h>

#include "homeserver/rooms/membership.hpp"
#include "homeserver/rooms/room_service_impl.hpp"

namespace causeway {

Task<std::vector<EventPtr>> RoomService::Impl::stripped_state(RoomHead& head, UserId inviter) {
  auto keys = stripped_state_keys();
  keys.emplace_back("m.room.member", inviter.str());
  auto nids = co_await services.interner.state_keys(std::move(keys));
  auto holders = co_await heads.holders(head, std::move(nids));
  std::vector<EventPtr> events;
  for (const auto& holder : holders)
    if (holder) events.push_back(holder->event);
  co_return events;
}

// The invited user's server signs the invite before anybody else sees it. It is asked outside the lane, so the room may
// move on meanwhile: the signed event is then a branch like any other. spec: server-server-api#inviting-to-a-room
Task<Result<EventId>> RoomService::Impl::invite_remote_user(ChangeMembership request, boost::json::object content) {
  EventPtr invite;
  std::vector<EventPtr> shown;
  {
    auto lock = co_await heads.enter(request.room);
    if (!lock) co_return lock.error();
    if (!lock->known() || !lock->head().in_room(services.self.name))
      co_return make_error(ErrorCode::forbidden, "You are not in this room.");
    auto draft = member_draft(request, std::move(content));
    auto built = co_await builder.build(lock->head(), std::move(draft));
    if (!built) co_return built.error();
    // What it is built on must be there when the other server asks for it.
    const bool settled = co_await heads.settle(*lock);
    if (!settled) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
    invite = (*built)->event;
    shown = co_await stripped_state(lock->head(), request.sender.user);
  }
  ServerName server = request.target.server_name();
  auto accepted = co_await remote->invite(invite, std::move(shown), std::move(server));
  if (!accepted) co_return accepted.error();
  if ((*accepted)->id() != invite->id())
    co_return make_error(ErrorCode::unknown, 502, "The other server returned another event than the invite.");
  Inbound inbound;
  inbound.event = std::move(*accepted);
  inbound.local = true;
  auto appended = co_await append_if_accepted(std::move(inbound));
  if (appended.outcome.result == Received::accepted) co_return invite->id();
  co_return make_error(ErrorCode::forbidden, appended.outcome.reason);
}

// The servers named, the inviter's, and that of the room's ID.
Task<std::vector<ServerName>> RoomService::Impl::servers_to_try(const ChangeMembership& request, RoomInfoPtr room) {
  std::vector<ServerName> servers;
  const auto add = [&](ServerName server) {
    if (server.empty() || server == services.self.name || std::ranges::find(servers, server) != servers.end()) return;
    servers.push_back(std::move(server));
  };
  for (const auto& server : request.via)
    add(server);
  if (room) {
    auto membership = co_await services.reader.membership(request.sender.nid, room->nid);
    if (membership) {
      std::vector<EventNid> nids(1, membership->event);
      auto events = co_await services.events.by_nid(std::move(nids));
      if (events.front()) add(events.front()->event->sender().server_name());
    }
    if (room->resident) {
      auto members = co_await services.reader.members(room->nid);
      for (const auto& server : members->joined_servers)
        add(server);
    }
  }
  auto of_room = ServerName::parse(request.room.server());
  if (of_room) add(std::move(*of_room));
  co_return servers;
}

// spec: server-server-api#leaving-rooms-rejecting-invites
Task<Result<>> RoomService::Impl::leave_remote_room(ChangeMembership request, RoomInfoPtr room) {
  auto membership = co_await services.reader.membership(request.sender.nid, room->nid);
  if (!membership) co_return make_error(ErrorCode::forbidden, "You are not in this room.");
  if (membership->membership == db::Membership::leave) co_return Result<>{};
  auto servers = co_await servers_to_try(request, room);
  MembershipTemplate wanted;
  wanted.room_id = request.room;
  wanted.user = request.target;
  wanted.membership = "leave";
  if (request.reason) wanted.content["reason"] = *request.reason;
  auto left = co_await remote->leave(std::move(wanted), std::move(servers));
  // NOTSPEC: an invite can be declined although no server of the room answers; the user must not be stuck with it.
  if (!left) spdlog::warn("room {}: left without telling it: {}", request.room.str(), left.error().message);
  EventPtr event;
  if (left) event = std::move(*left);
  {
    auto lock = co_await heads.enter(request.room);
    if (!lock) co_return lock.error();
    if (!lock->known() || !lock->head().in_room(services.self.name))
      co_return co_await end_membership(*lock, request.sender.nid, std::move(*membership), std::move(event));
  }
  // This server has come into the room while others were asked.
  co_return co_await leave_resident_room(std::move(request));
}

// In the lane. What came while other servers were asked, such as another invite, is not what was left.
Task<Result<>> RoomService::Impl::end_membership(RoomLock& lock, UserNid user, RoomMembership ended, EventPtr leave) {
  auto now = co_await settled_membership(lock, user);
  if (!now) co_return now.error();
  if (!*now || (*now)->event != ended.event) co_return Result<>{};
  auto unit = std::make_shared<WriteUnit>();
  unit->room = ended.room;
  MembershipChange change;
  change.user = user;
  change.room = ended.room;
  change.membership = db::Membership::leave;
  change.event = ended.event;
  if (leave) change.event = co_await add_foreign_outlier(*unit, std::move(leave));
  unit->memberships.push_back(std::move(change));
  co_return co_await services.writer.commit(std::move(unit));
}

// An event of a room that this server is not in. Whether it was here already or not, its number is returned.
Task<EventNid> RoomService::Impl::add_foreign_outlier(WriteUnit& unit, EventPtr event) {
  auto existing = co_await services.events.by_id(event->id());
  if (existing) co_return existing->nid;
  auto stored = std::make_shared<StoredEvent>();
  stored->nid = co_await services.interner.next_event();
  stored->room = unit.room;
  stored->sender = co_await services.interner.user(event->sender());
  if (event->is_state()) {
    StateKey key(event->type(), *event->state_key());
    stored->key = co_await services.interner.state_key(std::move(key));
  }
  stored->event = std::move(event);
  NewEvent added;
  added.stored = stored;
  added.placement = Placement::outlier;
  unit.events.push_back(std::move(added));
  co_return stored->nid;
}

}  // namespace causeway
