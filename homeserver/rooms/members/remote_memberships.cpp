// Local users' invites to users of other servers, and how invites into rooms that this server is not in end.

#include <limits>

#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/rooms/room_service_impl.hpp"
#include "schema/events/signing.hpp"
#include "schema/log.hpp"

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
  Inbound owed;
  owed.event = std::move(*accepted);
  owed.local = true;
  auto appended = co_await inbound.append_if_accepted(std::move(owed));
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
    // As far as is known: of a room that all have left here, who was in it then.
    auto members = co_await services.reader.members(room->nid);
    for (const auto& server : members->joined_servers)
      add(server);
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
  if (membership->membership == db::Membership::ban)
    co_return make_error(ErrorCode::forbidden, "You are banned from this room.");
  const bool abandoned = co_await is_abandoned(room, request.sender.user, *membership);
  if (abandoned) co_return co_await leave_known_room(std::move(request), Presence::not_needed);
  auto servers = co_await servers_to_try(request, room);
  MembershipTemplate wanted;
  wanted.room_id = request.room;
  wanted.user = request.target;
  wanted.membership = "leave";
  if (request.reason) wanted.content["reason"] = *request.reason;
  auto left = co_await remote->leave(std::move(wanted), std::move(servers));
  // NOTSPEC: an invite can be declined although no server of the room answers; the user must not be stuck with it.
  if (!left) log::warn("room {}: left without telling it: {}", request.room.str(), left.error().message);
  {
    auto lock = co_await heads.enter(request.room);
    if (!lock) co_return lock.error();
    if (!lock->known() || !lock->head().in_room(services.self.name)) {
      if (!left) left = co_await own_leave(request, *membership);
      if (!left) co_return left.error();
      co_return co_await end_membership(*lock, request.sender.nid, std::move(*membership), std::move(*left));
    }
  }
  // This server has come into the room while others were asked.
  co_return co_await leave_resident_room(std::move(request), std::move(room));
}

// The user's membership is part of the state here, and nobody is in the room who could be asked: nothing of it can have
// passed this server by.
Task<bool> RoomService::Impl::is_abandoned(RoomInfoPtr room, UserId user, RoomMembership membership) {
  auto members = co_await services.reader.members(room->nid);
  if (members->joined > 0) co_return false;
  StateKey key("m.room.member", user.str());
  auto own = co_await services.reader.state_event(room->nid, room->state, std::move(key));
  co_return own && own->nid == membership.event;
}

// A leave that no other server will hear of: it cites what it ends and nothing else.
Task<Result<EventPtr>> RoomService::Impl::own_leave(ChangeMembership request, RoomMembership ended) {
  std::vector<EventNid> nids(1, ended.event);
  auto events = co_await services.events.by_nid(std::move(nids));
  if (!events.front()) co_return make_error(ErrorCode::not_found, "This server does not know that room.");
  const Event& last = *events.front()->event;
  EventDraft draft;
  draft.version = &last.version();
  draft.room_id = request.room;
  draft.sender = request.sender.user;
  draft.type = "m.room.member";
  draft.state_key = request.sender.user.str();
  draft.content["membership"] = "leave";
  if (request.reason) draft.content["reason"] = *request.reason;
  draft.origin_server_ts = services.clock.now_ms();
  constexpr std::int64_t max_depth = std::numeric_limits<std::int64_t>::max();
  draft.depth = std::min(last.depth(), max_depth - 1) + 1;
  draft.prev_events.push_back(reference_to(last));
  draft.auth_events.push_back(reference_to(last));
  co_return build_event(std::move(draft), services.self.name, services.self.key);
}

// An invite that the room's state knows nothing of, although this server is in the room: one that somebody made up, or
// that lost against another event. It can't be declined there. True: it was one, and has ended.
Task<Result<bool>> RoomService::Impl::end_unknown_invite(ChangeMembership request, RoomInfoPtr room) {
  auto membership = co_await services.reader.membership(request.sender.nid, room->nid);
  if (!membership || membership->membership != db::Membership::invite) co_return false;
  StateKey key("m.room.member", request.sender.user.str());
  auto own = co_await services.reader.state_event(room->nid, room->state, key);
  if (own && own->nid == membership->event) co_return false;
  auto lock = co_await heads.enter(request.room);
  if (!lock) co_return lock.error();
  if (!lock->known()) co_return false;
  const bool settled = co_await heads.settle(*lock);
  if (!settled) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
  own = co_await heads.holder(lock->head(), std::move(key));
  if (own && own->nid == membership->event) co_return false;
  auto leave = co_await own_leave(request, *membership);
  if (!leave) co_return leave.error();
  auto ended = co_await end_membership(*lock, request.sender.nid, std::move(*membership), std::move(*leave));
  if (!ended) co_return ended.error();
  co_return true;
}

namespace {

bool is_withdrawal(const Event& event) {
  return event.is("m.room.member") && event.state_key() &&
         (event.membership() == "leave" || event.membership() == "ban");
}

ReceiveOutcome refused(std::string reason) {
  ReceiveOutcome made;
  made.result = Received::refused;
  made.reason = std::move(reason);
  return made;
}

}  // namespace

// Of the room nothing is known here that could say who may remove whom. So only the server that invited takes the
// invite back, and only that one which it cites: another withdrawal may come late, after the user was invited again.
Task<ReceiveOutcome> RoomService::Impl::receive_withdrawal(ServerName origin, VerifiedEvent withdrawal) {
  const EventPtr event = withdrawal.event();
  const bool by_origin = event->sender().server() == origin.str();
  if (!by_origin || !is_withdrawal(*event)) co_return refused("This server is not in that room.");
  {
    auto lock = co_await heads.enter(event->room_id());
    // Nothing is wrong with the event then. A reply that refuses it would be the last that is heard of it.
    if (!lock) throw db::Unavailable(lock.error().message);
    if (!lock->known() || !lock->head().in_room(services.self.name))
      co_return co_await withdraw_invite(*lock, std::move(origin), std::move(withdrawal));
  }
  // This server has come into the room just now.
  auto received = Inbound::of(withdrawal);
  co_return co_await receiver.receive(std::move(origin), std::move(received));
}

Task<ReceiveOutcome> RoomService::Impl::withdraw_invite(RoomLock& lock, ServerName origin, VerifiedEvent withdrawal) {
  const EventPtr event = withdrawal.event();
  auto invite = co_await cited_invite(lock, event);
  if (!invite || invite->event->sender().server() != origin.str())
    co_return refused("This server is not in that room, and knows of no invite of yours that the event withdraws.");
  auto target = UserId::trusted(*event->state_key());
  const UserNid user = co_await services.interner.user(std::move(target));
  auto now = co_await settled_membership(lock, user);
  if (!now) throw db::Unavailable(now.error().message);
  ReceiveOutcome outcome;
  outcome.result = Received::duplicate;
  if (!*now || (*now)->event != invite->nid) co_return outcome;  // it has ended already
  const auto flags = withdrawal.hash_mismatch() ? db::EventFlags::hash_mismatch : db::EventFlags::none;
  auto ended = co_await end_membership(lock, user, std::move(**now), event, flags);
  if (!ended && ended.error().status >= 500) throw db::Unavailable(ended.error().message);
  if (!ended) co_return refused(ended.error().message);
  outcome.result = Received::accepted;
  co_return outcome;
}

// The invite of one of our users that an event about them cites; nullptr where it cites none.
Task<StoredEventPtr> RoomService::Impl::cited_invite(RoomLock& lock, EventPtr event) {
  if (!lock.known()) co_return nullptr;
  auto target = UserId::parse(*event->state_key());
  if (!target || !is_local(*target)) co_return nullptr;
  auto ids = event->auth_events();
  auto cited = co_await services.events.by_id(std::move(ids));
  for (const auto& stored : cited)
    if (stored && stored->room == lock.head().nid && stored->event->membership() == "invite" &&
        stored->event->is_state("m.room.member", target->str()))
      co_return stored;
  co_return nullptr;
}

// In the lane. What came while other servers were asked, such as another invite, is not what was left.
Task<Result<>> RoomService::Impl::end_membership(RoomLock& lock, UserNid user, RoomMembership ended, EventPtr end,
                                                 db::EventFlags flags) {
  auto now = co_await settled_membership(lock, user);
  if (!now) co_return now.error();
  if (!*now || (*now)->event != ended.event) co_return Result<>{};
  auto unit = std::make_shared<WriteUnit>();
  unit->room = ended.room;
  MembershipChange change;
  change.user = user;
  change.room = ended.room;
  change.membership = membership_of(*end);
  auto stored = co_await add_foreign_outlier(*unit, std::move(end), flags);
  if (!stored) co_return stored.error();
  change.event = *stored;
  unit->memberships.push_back(std::move(change));
  co_return co_await services.writer.commit(std::move(unit));
}

// An event of a room that this server is not in, so that nothing can be checked of it but its signatures. Whether it
// was here already or not, its number is returned.
Task<Result<EventNid>> RoomService::Impl::add_foreign_outlier(WriteUnit& unit, EventPtr event, db::EventFlags flags) {
  auto existing = co_await services.events.by_id(event->id());
  // In versions 1 and 2 a server may give one ID to many events.
  if (existing && (existing->room != unit.room || reference_hash(*existing->event) != reference_hash(*event)))
    co_return make_error(ErrorCode::forbidden, "There is another event with this ID.");
  if (existing) co_return existing->nid;
  auto stored = std::make_shared<StoredEvent>();
  stored->nid = co_await services.interner.next_event();
  stored->room = unit.room;
  stored->sender = co_await services.interner.user(event->sender());
  stored->flags = flags | db::EventFlags::unjudged;
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
