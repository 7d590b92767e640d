#include "homeserver/rooms/members/restricted_joins.hpp"

#include "homeserver/rooms/head/head_state.hpp"
#include "schema/json/json.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_allowed_rooms = 100;

std::vector<RoomId> allowed_rooms(const boost::json::object& join_rules) {
  std::vector<RoomId> rooms;
  const auto* allow = json::find_array(join_rules, "allow");
  if (!allow) return rooms;
  for (const auto& condition : *allow) {
    if (!condition.is_object() || rooms.size() >= max_allowed_rooms) continue;
    if (json::find_string(condition.get_object(), "type") != "m.room_membership") continue;
    auto named = json::find_string(condition.get_object(), "room_id");
    if (!named) continue;
    if (auto room = RoomId::parse(*named)) rooms.push_back(std::move(*room));
  }
  return rooms;
}

}  // namespace

Task<Result<std::optional<UserId>>> RestrictedJoins::authorise(RoomHead& head, UserId user, db::Membership current) {
  using Authorised = std::optional<UserId>;
  if (current == db::Membership::join || current == db::Membership::invite) co_return Authorised{};
  StateKey rules_key("m.room.join_rules", "");
  auto rules = co_await heads_.holder(head, std::move(rules_key));
  auto rule = rules ? json::find_string(rules->event->content(), "join_rule") : std::nullopt;
  if (!head.version->lets_members_of_rooms_join(rule.value_or(""))) co_return Authorised{};

  bool any_known = false;
  bool satisfied = false;
  auto candidates = allowed_rooms(rules->event->content());
  for (const auto& candidate : candidates) {
    auto room = co_await reader_.room(candidate);
    if (!room || !room->resident) continue;
    any_known = true;
    const db::Membership there = co_await reader_.membership_at(room->nid, room->state, user);
    satisfied = there == db::Membership::join;
    if (satisfied) break;
  }
  if (!satisfied && !any_known && !candidates.empty())
    co_return make_error(ErrorCode::unable_to_authorise_join, 400,
                         "This server is in none of the rooms whose members may join.");
  if (!satisfied) co_return make_error(ErrorCode::forbidden, "You are in none of the rooms whose members may join.");

  auto levels = co_await power_levels(heads_, head);
  auto members = co_await reader_.members(head.nid);
  for (const auto& member : members->all) {
    if (member.membership != db::Membership::join || !self_.hosts(member.user)) continue;
    if (levels->user(member.user) < levels->invite()) continue;
    const db::Membership now = co_await membership_in(heads_, head, member.user);
    if (now == db::Membership::join) co_return Authorised(member.user);
  }
  co_return make_error(ErrorCode::unable_to_grant_join, 400, "No user of this server may let others into the room.");
}

}  // namespace causeway
