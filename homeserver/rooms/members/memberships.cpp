#include "homeserver/rooms/members/memberships.hpp"

#include "homeserver/rooms/head/head_state.hpp"
#include "homeserver/rooms/members/member_draft.hpp"
#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/rooms/members/servers_to_try.hpp"
#include "homeserver/rooms/members/settled_membership.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway {

using boost::json::object;
using db::Membership;
using Kind = ChangeMembership::Kind;

Task<Result<>> Memberships::change(ChangeMembership request) {
  switch (request.kind) {
    case Kind::join: {
      const Sender user = request.sender;
      const RoomId room = request.room;
      const std::uint64_t profiles_seen = services_.profiles.changes();
      auto joined = co_await join(std::move(request));
      if (!joined) co_return joined;
      co_await services_.profiles.catch_up(user, room, profiles_seen);
      co_await services_.settings.carry_over(user, room);
      co_return joined;
    }
    case Kind::invite:
      co_return co_await invite(std::move(request));
    case Kind::leave:
      co_return co_await leave(std::move(request));
    case Kind::kick:
    case Kind::ban:
    case Kind::unban:
      co_return co_await change_locally(std::move(request));
  }
  co_return make_error(ErrorCode::unrecognized, "There is no such change of membership.");
}

Task<object> Memberships::content_of(ChangeMembership request) {
  object content;
  content["membership"] = db::to_string(request.membership);
  if (request.reason) content["reason"] = *request.reason;
  if (request.is_direct && request.membership == Membership::invite) content["is_direct"] = true;
  // Who comes shows a name; who goes doesn't.
  const bool comes = request.membership == Membership::join || request.membership == Membership::invite ||
                     request.membership == Membership::knock;
  if (comes) co_await services_.profiles.add(content, std::move(request.target));
  co_return content;
}

namespace {

// What the rules allow but the endpoint's description does not.
Result<> check_target(Kind kind, Membership current) {
  const bool present = current == Membership::join || current == Membership::invite || current == Membership::knock;
  if (kind == Kind::kick && !present) return make_error(ErrorCode::forbidden, "That user is not in the room.");
  if (kind == Kind::unban && current != Membership::ban)
    return make_error(ErrorCode::forbidden, "That user is not banned.");
  return {};
}

Result<> drop_id(const Result<EventId>& sent) {
  if (!sent) return sent.error();
  return {};
}

}  // namespace

Task<Result<>> Memberships::change_locally(ChangeMembership request) {
  object content = co_await content_of(request);
  auto job = [this, request, content](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    const Membership current = co_await membership_in(services_.heads, head, request.target);
    if (auto checked = check_target(request.kind, current); !checked) co_return checked.error();
    co_return co_await services_.lane.append(head, unit, member_draft(request, content));
  };
  auto sent = co_await services_.lane.commit(request.room, std::move(job));
  co_return drop_id(sent);
}

Task<Result<>> Memberships::leave(ChangeMembership request) {
  auto room = co_await services_.reader.room(request.room);
  if (!room) co_return make_error(ErrorCode::not_found, "This server does not know that room.");
  if (room->resident) co_return co_await leave_resident_room(std::move(request), room);
  auto left = co_await services_.leaver.leave(request, room);
  if (!left) co_return left.error();
  switch (*left) {
    case RemoteLeaver::Outcome::left:
      break;
    case RemoteLeaver::Outcome::abandoned:
      co_return co_await leave_known_room(std::move(request), LaneWriter::Presence::not_needed);
    case RemoteLeaver::Outcome::resident:
      co_return co_await leave_resident_room(std::move(request), room);
  }
  co_return Result<>{};
}

Task<Result<>> Memberships::leave_resident_room(ChangeMembership request, RoomInfoPtr room) {
  auto ended = co_await services_.foreign.end_unknown_invite(request, std::move(room));
  if (!ended) co_return ended.error();
  if (*ended) co_return Result<>{};
  co_return co_await leave_known_room(std::move(request), LaneWriter::Presence::needed);
}

Task<Result<>> Memberships::leave_known_room(ChangeMembership request, LaneWriter::Presence presence) {
  object content = co_await content_of(request);
  auto job = [this, request, content](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    StateKey key("m.room.member", request.target.str());
    auto member = co_await services_.heads.holder(head, std::move(key));
    // Leaving twice is no error.
    if (member && membership_of(member) == Membership::leave) co_return member->event->id();
    co_return co_await services_.lane.append(head, unit, member_draft(request, content));
  };
  auto sent = co_await services_.lane.commit(request.room, std::move(job), presence);
  co_return drop_id(sent);
}

Task<Result<>> Memberships::invite(ChangeMembership request) {
  if (auto checked = co_await services_.permission.check(request.target); !checked) co_return checked.error();
  object content = co_await content_of(request);
  if (!services_.self.hosts(request.target)) {
    auto sent = co_await services_.inviter.invite(std::move(request), std::move(content));
    co_return drop_id(sent);
  }
  auto job = [this, request, content](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    co_return co_await services_.lane.append(head, unit, member_draft(request, content));
  };
  auto sent = co_await services_.lane.commit(request.room, std::move(job));
  co_return drop_id(sent);
}

Task<Result<>> Memberships::join(ChangeMembership request) {
  auto room = co_await services_.reader.room(request.room);
  object content = co_await content_of(request);
  if (!room || !room->resident) co_return co_await join_over_federation(std::move(request), std::move(content), room);
  // The number of a key that is new is a commit of its own, which is better waited for outside the room's lane.
  StateKey member_key("m.room.member", request.target.str());
  co_await services_.interner.state_key(std::move(member_key));
  bool elsewhere = false;  // only another server can let the user in
  auto job = [this, request, content, &elsewhere](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    StateKey key("m.room.member", request.target.str());
    auto member = co_await services_.heads.holder(head, std::move(key));
    if (membership_of(member) == Membership::join) co_return member->event->id();
    auto joined = co_await append_join(head, unit, member_draft(request, content), membership_of(member));
    elsewhere = !joined && joined.error().code == ErrorCode::unable_to_grant_join;
    co_return joined;
  };
  auto sent = co_await services_.lane.commit(request.room, std::move(job));
  if (!sent && elsewhere) co_return co_await join_over_federation(std::move(request), std::move(content), room);
  co_return drop_id(sent);
}

Task<Result<>> Memberships::join_over_federation(ChangeMembership request, object content, RoomInfoPtr room) {
  auto servers = co_await servers_to_try(services_.reader, services_.events, services_.self.name, request, room);
  co_return co_await services_.joiner.join(std::move(request), std::move(content), std::move(servers));
}

Task<Result<EventId>> Memberships::append_join(RoomHead& head, WriteUnit& unit, LocalDraft draft, Membership current) {
  auto via = co_await services_.restricted.authorise(head, draft.sender, current);
  if (!via) co_return via.error();
  draft.join_authorised_via = std::move(*via);
  co_return co_await services_.lane.append(head, unit, std::move(draft));
}

Task<Result<EventId>> Memberships::send(SendEvent request) {
  ChangeMembership change;
  change.sender = request.sender;
  change.room = request.room;
  auto target = UserId::parse(*request.state_key);
  if (!target) co_return make_error(ErrorCode::invalid_param, "The state key of a membership must be a user ID.");
  change.target = std::move(*target);
  object content = std::move(request.content);
  if (json::find_string(content, "membership") == "invite") {
    if (!services_.self.hosts(change.target))
      co_return co_await services_.inviter.invite(std::move(change), std::move(content));
    if (auto checked = co_await services_.permission.check(change.target); !checked) co_return checked.error();
  }
  const bool joins = json::find_string(content, "membership") == "join" && change.target == change.sender.user;
  auto job = [this, change, content, joins](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    auto draft = member_draft(change, content);
    if (!joins) co_return co_await services_.lane.append(head, unit, std::move(draft));
    const Membership current = co_await membership_in(services_.heads, head, change.target);
    co_return co_await append_join(head, unit, std::move(draft), current);
  };
  co_return co_await services_.lane.commit(change.room, std::move(job));
}

Task<Result<>> Memberships::forget(Sender user, RoomId room_id) {
  auto lock = co_await services_.heads.enter(room_id);
  if (!lock) co_return lock.error();
  auto membership = co_await settled_membership(services_.heads, services_.reader, *lock, user.nid);
  if (!membership) co_return membership.error();
  if (!*membership) co_return make_error(ErrorCode::not_found, "You were never in that room.");
  const RoomMembership& now = **membership;
  if (now.membership != Membership::leave && now.membership != Membership::ban)
    co_return make_error(ErrorCode::unknown, 400, "User " + user.user.str() + " is in room " + room_id.str());
  auto unit = std::make_shared<WriteUnit>();
  MembershipChange change;
  change.user = user.nid;
  change.room = now.room;
  change.membership = now.membership;
  change.event = now.event;
  change.forgotten = true;
  unit->memberships.push_back(std::move(change));
  co_return co_await services_.writer.commit(std::move(unit));
}

}  // namespace causeway
