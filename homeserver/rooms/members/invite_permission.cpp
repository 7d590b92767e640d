#include "homeserver/rooms/members/invite_permission.hpp"

#include <algorithm>

#include "schema/db/tables/account_data.hpp"
#include "schema/matrix/account_data.hpp"

namespace causeway {

namespace {

// What others can make a user keep has an end, which no server reaches by itself.
constexpr std::size_t max_open_invites = 1'000;
constexpr std::size_t max_open_invites_by_server = 100;
constexpr std::size_t max_open_invite_bytes = 4u << 20;

}  // namespace

Task<Result<>> InvitePermission::check(UserId user) {
  if (!self_.hosts(user)) co_return Result<>();
  const UserNid nid = co_await interner_.user(user);
  auto find = [nid](db::Connection& connection) {
    return db::find_account_data(connection, nid, RoomNid{}, std::string(invite_permission_config_type));
  };
  const auto config = co_await database_.run(std::move(find));
  if (config && blocks_invites(*config))
    co_return make_error(ErrorCode::invite_blocked, "That user accepts no invites.");
  co_return Result<>();
}

Task<Result<std::size_t>> InvitePermission::space_for_invite(UserNid user, ServerName inviter) {
  const auto memberships = co_await reader_.memberships(user);
  std::vector<EventNid> open;
  std::size_t bytes = 0;
  for (const RoomMembership& membership : *memberships) {
    if (membership.membership != db::Membership::invite) continue;
    open.push_back(membership.event);
    if (membership.stripped_state) bytes += membership.stripped_state->size();
  }
  const auto too_many = make_error(ErrorCode::forbidden, "That user has not answered too many invites already.");
  if (open.size() >= max_open_invites) co_return too_many;
  if (open.size() >= max_open_invites_by_server) {
    const auto events = co_await events_.by_nid(std::move(open));
    const auto by_inviter = std::ranges::count_if(events, [&](const StoredEventPtr& invite) {
      return invite && invite->event->sender().server() == inviter.str();
    });
    if (static_cast<std::size_t>(by_inviter) >= max_open_invites_by_server) co_return too_many;
  }
  co_return max_open_invite_bytes - std::min(bytes, max_open_invite_bytes);
}

}  // namespace causeway
