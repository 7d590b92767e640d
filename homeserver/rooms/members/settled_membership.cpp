#include "homeserver/rooms/members/settled_membership.hpp"

namespace causeway {

Task<Result<std::optional<RoomMembership>>> settled_membership(RoomHeads& heads, RoomReader& reader, RoomLock& lock,
                                                               UserNid user) {
  if (!lock.known()) co_return std::optional<RoomMembership>();
  const bool settled = co_await heads.settle(lock);
  if (!settled) co_return make_error(ErrorCode::unknown, 503, "The room is busy. Try again.");
  auto membership = co_await reader.membership(user, lock.head().nid);
  co_return membership;
}

}  // namespace causeway
