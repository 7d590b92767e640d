#include "homeserver/rooms/reader/state_permission.hpp"

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "homeserver/rooms/members/membership.hpp"

namespace causeway {

Task<bool> may_set_state(RoomReader& reader, RoomInfoPtr room, UserId user, const char* type) {
  std::vector<StateKey> keys;
  keys.emplace_back("m.room.power_levels", "");
  keys.emplace_back("m.room.create", "");
  keys.emplace_back("m.room.member", user.str());
  const auto held = co_await reader.state_events(room->nid, room->state, std::move(keys));
  const auto &levels = held[0], &create = held[1], &member = held[2];
  const PowerLevels power(levels ? levels->event.get() : nullptr, create ? create->event.get() : nullptr);
  if (membership_of(member) != db::Membership::join) co_return false;
  co_return power.user(user) >= power.required_for(type, true);
}

}  // namespace causeway
