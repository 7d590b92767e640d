#include "homeserver/rooms/members/member_profiles.hpp"

#include "homeserver/rooms/members/membership.hpp"
#include "homeserver/runtime/concurrency.hpp"
#include "schema/db/tables/accounts.hpp"
#include "schema/log.hpp"

namespace causeway {

using boost::json::object;
using db::Membership;

namespace {

constexpr std::size_t updates_at_once = 16;  // rooms

}  // namespace

Task<> MemberProfiles::add(object& content, UserId user) {
  if (!self_.hosts(user)) co_return;
  auto find = [user](db::Connection& connection) { return db::find_account(connection, user); };
  auto account = co_await database_.run(std::move(find));
  if (!account) co_return;
  if (account->display_name) content["displayname"] = *account->display_name;
  if (account->avatar_url) content["avatar_url"] = *account->avatar_url;
}

Task<> MemberProfiles::update(Sender user, std::optional<std::string> display_name,
                              std::optional<std::string> avatar_url) {
  ++changes_;
  auto memberships = co_await reader_.memberships(user.nid);
  object profile;
  if (display_name) profile["displayname"] = *display_name;
  if (avatar_url) profile["avatar_url"] = *avatar_url;
  std::function<Task<>(std::size_t)> in_one = [this, user, memberships, profile](std::size_t index) {
    return update_in_room(user, memberships->at(index), profile);
  };
  const std::size_t count = memberships->size();
  co_await for_each_concurrently(count, updates_at_once, std::move(in_one));
}

Task<> MemberProfiles::catch_up(Sender user, RoomId room_id, std::uint64_t seen) {
  while (seen != changes_) {
    seen = changes_;
    object profile;
    co_await add(profile, user.user);
    auto room = co_await reader_.room(room_id);
    if (!room) co_return;
    auto membership = co_await reader_.membership(user.nid, room->nid);
    if (membership) co_await update_in_room(user, *membership, std::move(profile));
  }
}

Task<> MemberProfiles::update_in_room(Sender user, RoomMembership membership, object profile) {
  if (membership.membership != Membership::join) co_return;
  auto room = co_await reader_.room(membership.room);
  if (!room) co_return;
  auto job = [this, user, profile](RoomHead& head, WriteUnit& unit) -> Task<Result<EventId>> {
    StateKey key("m.room.member", user.user.str());
    auto member = co_await heads_.holder(head, std::move(key));
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
    co_return co_await lane_.append(head, unit, std::move(draft));
  };
  auto sent = co_await lane_.commit(room->id, std::move(job));
  if (!sent) log::warn("room {}: profile of {} not updated: {}", room->id.str(), user.user.str(), sent.error().message);
}

}  // namespace causeway
