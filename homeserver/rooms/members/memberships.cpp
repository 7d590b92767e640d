// Joins, invites, leaves, kicks and bans of local users.
//
// spec: client-server-api#room-membership

#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/rooms/room_service_impl.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/db/tables/accounts.hpp"
#include "schema/json/json.hpp"
#include "schema/log.hpp"

namespace causeway {

using boost::json::object;
using db::Membership;
using Kind = ChangeMembership::Kind;

namespace {

constexpr std::size_t profile_updates_at_once = 16;  // rooms

}  // namespace

Task<Result<>> RoomService::Impl::change_membership(ChangeMembership request) {
  switch (request.kind) {
    case Kind::join: {
      const Sender user = request.sender;
      const RoomId room = request.room;
      const std::uint64_t profiles_seen = profile_changes;
      auto joined = co_await join(std::move(request));
      if (!joined) co_return joined;
      co_await catch_up_with_profile(user, room, profiles_seen);
      co_await carry_settings_over(user, room);
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

Task<> RoomService::Impl::add_profile(object& content, UserId user) {
  if (!is_local(user)) co_return;
  auto find = [user](db::Connection& connection) { return db::find_account(connection, user); };
  auto account = co_await services.database.run(std::move(find));
  if (!account) co_return;
  if (account->display_name) content["displayname"] = *account->display_name;
  if (account->avatar_url) content["avatar_url"] = *account->avatar_url;
}

Task<object> RoomService::Impl::membership_content(ChangeMembership request) {
  object content;
  content["membership"] = db::to_string(request.membership);
  if (request.reason) content["reason"] = *request.reason;
  if (request.is_direct && request.membership == Membership::invite) content["is_direct"] = true;
  // Who comes shows a name; who goes doesn't.
  const bool comes = request.membership == Membership::join || request.membership == Membership::invite ||
                     request.membership == Membership::knock;
  if (comes) co_await add_profile(content, std::move(request.target));
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

LocalDraft RoomService::Impl::member_draft(const ChangeMembership& request, object content) {
  LocalDraft draft;
  draft.sender = request.sender.user;
  draft.sender_nid = request.sender.nid;
  draft.type = "m.room.member";
  draft.state_key = request.target.str();
  draft.content = std::move(content);
  return draft;
}

Task<Membership> RoomService::Impl::membership_in(RoomHead& head, UserId user) {
  StateKey key("m.room.member", user.str());
  auto member = co_await heads.holder(head, std::move(key));
  co_return membership_of(member);
}

Task<Result<>> RoomService::Impl::change_locally(ChangeMembership request) {
  object content = co_await membership_content(request);
  auto job = [this, request, content](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    const Membership current = co_await membership_in(head, request.target);
    if (auto checked = check_target(request.kind, current); !checked) co_return checked.error();
    co_return co_await append_event(head, unit, member_draft(request, content));
  };
  auto sent = co_await commit_in_lane(request.room, std::move(job));
  co_return drop_id(sent);
}

Task<Result<>> RoomService::Impl::leave(ChangeMembership request) {
  auto room = co_await services.reader.room(request.room);
  if (!room) co_return make_error(ErrorCode::not_found, "This server does not know that room.");
  if (!room->resident) co_return co_await leave_remote_room(std::move(request), room);
  co_return co_await leave_resident_room(std::move(request), room);
}

Task<Result<>> RoomService::Impl::leave_resident_room(ChangeMembership request, RoomInfoPtr room) {
  auto ended = co_await end_unknown_invite(request, std::move(room));
  if (!ended) co_return ended.error();
  if (*ended) co_return Result<>{};
  co_return co_await leave_known_room(std::move(request), Presence::needed);
}

Task<Result<>> RoomService::Impl::leave_known_room(ChangeMembership request, Presence presence) {
  object content = co_await membership_content(request);
  auto job = [this, request, content](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    StateKey key("m.room.member", request.target.str());
    auto member = co_await heads.holder(head, std::move(key));
    // Leaving twice is no error.
    if (member && membership_of(member) == Membership::leave) co_return member->event->id();
    co_return co_await append_event(head, unit, member_draft(request, content));
  };
  auto sent = co_await commit_in_lane(request.room, std::move(job), presence);
  co_return drop_id(sent);
}

Task<Result<>> RoomService::Impl::invite(ChangeMembership request) {
  if (auto checked = co_await check_may_be_invited(request.target); !checked) co_return checked.error();
  object content = co_await membership_content(request);
  if (!is_local(request.target)) {
    auto sent = co_await invite_remote_user(std::move(request), std::move(content));
    co_return drop_id(sent);
  }
  auto job = [this, request, content](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    co_return co_await append_event(head, unit, member_draft(request, content));
  };
  auto sent = co_await commit_in_lane(request.room, std::move(job));
  co_return drop_id(sent);
}

Task<Result<>> RoomService::Impl::join(ChangeMembership request) {
  auto room = co_await services.reader.room(request.room);
  object content = co_await membership_content(request);
  if (!room || !room->resident) co_return co_await join_remote_room(std::move(request), std::move(content), room);
  // The number of a key that is new is a commit of its own, which is better waited for outside the room's lane.
  StateKey member_key("m.room.member", request.target.str());
  co_await services.interner.state_key(std::move(member_key));
  bool elsewhere = false;  // only another server can let the user in
  auto job = [this, request, content, &elsewhere](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    StateKey key("m.room.member", request.target.str());
    auto member = co_await heads.holder(head, std::move(key));
    if (membership_of(member) == Membership::join) co_return member->event->id();
    auto joined = co_await append_join(head, unit, member_draft(request, content), membership_of(member));
    elsewhere = !joined && joined.error().code == ErrorCode::unable_to_grant_join;
    co_return joined;
  };
  auto sent = co_await commit_in_lane(request.room, std::move(job));
  if (!sent && elsewhere) co_return co_await join_remote_room(std::move(request), std::move(content), room);
  co_return drop_id(sent);
}

Task<Result<EventId>> RoomService::Impl::append_join(RoomHead& head, WriteUnit& unit, LocalDraft draft,
                                                     Membership current) {
  auto via = co_await authorise_restricted_join(head, draft.sender, current);
  if (!via) co_return via.error();
  draft.join_authorised_via = std::move(*via);
  co_return co_await append_event(head, unit, std::move(draft));
}

// PUT /state of a membership: the same event, with the invited user's server asked first where that is another, and the
// authorisation that a restricted room wants.
Task<Result<EventId>> RoomService::Impl::send_member_event(SendEvent request) {
  ChangeMembership change;
  change.sender = request.sender;
  change.room = request.room;
  auto target = UserId::parse(*request.state_key);
  if (!target) co_return make_error(ErrorCode::invalid_param, "The state key of a membership must be a user ID.");
  change.target = std::move(*target);
  object content = std::move(request.content);
  if (json::find_string(content, "membership") == "invite") {
    if (!is_local(change.target)) co_return co_await invite_remote_user(std::move(change), std::move(content));
    if (auto checked = co_await check_may_be_invited(change.target); !checked) co_return checked.error();
  }
  const bool joins = json::find_string(content, "membership") == "join" && change.target == change.sender.user;
  auto job = [this, change, content, joins](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    auto draft = member_draft(change, content);
    if (!joins) co_return co_await append_event(head, unit, std::move(draft));
    const Membership current = co_await membership_in(head, change.target);
    co_return co_await append_join(head, unit, std::move(draft), current);
  };
  co_return co_await commit_in_lane(change.room, std::move(job));
}

Task<Result<std::optional<RoomMembership>>> RoomService::Impl::settled_membership(RoomLock& lock, UserNid user) {
  if (!lock.known()) co_return std::optional<RoomMembership>();
  const bool settled = co_await heads.settle(lock);
  if (!settled) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
  auto membership = co_await services.reader.membership(user, lock.head().nid);
  co_return membership;
}

// spec: client-server-api#post_matrixclientv3roomsroomidforget
Task<Result<>> RoomService::Impl::forget(Sender user, RoomId room_id) {
  auto lock = co_await heads.enter(room_id);
  if (!lock) co_return lock.error();
  auto membership = co_await settled_membership(*lock, user.nid);
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
  co_return co_await services.writer.commit(std::move(unit));
}

Task<> RoomService::Impl::update_profile_in_rooms(Sender user, std::optional<std::string> display_name,
                                                  std::optional<std::string> avatar_url) {
  ++profile_changes;
  auto memberships = co_await services.reader.memberships(user.nid);
  object profile;
  if (display_name) profile["displayname"] = *display_name;
  if (avatar_url) profile["avatar_url"] = *avatar_url;
  std::function<Task<>(std::size_t)> in_one = [this, user, memberships, profile](std::size_t index) {
    return update_profile_in_room(user, memberships->at(index), profile);
  };
  const std::size_t count = memberships->size();
  co_await for_each_concurrently(count, profile_updates_at_once, std::move(in_one));
}

// A change that began after the join read the profile, and ended before the join was committed, has not reached it.
Task<> RoomService::Impl::catch_up_with_profile(Sender user, RoomId room_id, std::uint64_t seen) {
  while (seen != profile_changes) {
    seen = profile_changes;
    object profile;
    co_await add_profile(profile, user.user);
    auto room = co_await services.reader.room(room_id);
    if (!room) co_return;
    auto membership = co_await services.reader.membership(user.nid, room->nid);
    if (membership) co_await update_profile_in_room(user, *membership, std::move(profile));
  }
}

Task<> RoomService::Impl::update_profile_in_room(Sender user, RoomMembership membership, object profile) {
  if (membership.membership != Membership::join) co_return;
  auto room = co_await services.reader.room(membership.room);
  if (!room) co_return;
  auto job = [this, user, profile](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    StateKey key("m.room.member", user.user.str());
    auto member = co_await heads.holder(head, std::move(key));
    if (membership_of(member) != Membership::join)
      co_return make_error(ErrorCode::forbidden, "The user is not in the room any more.");
    LocalDraft draft;
    draft.sender = user.user;
    draft.sender_nid = user.nid;
    draft.type = "m.room.member";
    draft.state_key = user.user.str();
    draft.content = member->event->content();
    // The last says how the user came in, which a change of name does not repeat.
    for (const char* replaced : {"displayname", "avatar_url", "reason"})
      draft.content.erase(replaced);
    draft.content.insert(profile.begin(), profile.end());
    co_return co_await append_event(head, unit, std::move(draft));
  };
  auto sent = co_await commit_in_lane(room->id, std::move(job));
  if (!sent) log::warn("room {}: profile of {} not updated: {}", room->id.str(), user.user.str(), sent.error().message);
}

}  // namespace causeway
