#include "homeserver/rooms/head/head_state.hpp"

#include "homeserver/rooms/members/membership.hpp"

namespace causeway {

Task<RoomPowerLevels> power_levels(RoomHeads& heads, RoomHead& head) {
  StateKey levels_key("m.room.power_levels", "");
  StateKey create_key("m.room.create", "");
  auto levels = co_await heads.holder(head, std::move(levels_key));
  auto create = co_await heads.holder(head, std::move(create_key));
  co_return RoomPowerLevels(levels ? levels->event : nullptr, create ? create->event : nullptr);
}

Task<db::Membership> membership_in(RoomHeads& heads, RoomHead& head, UserId user) {
  StateKey key("m.room.member", user.str());
  auto member = co_await heads.holder(head, std::move(key));
  co_return membership_of(member);
}

}  // namespace causeway
