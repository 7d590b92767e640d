#include "homeserver/rooms/members/membership.hpp"

namespace causeway {

db::Membership membership_of(const Event& member) {
  return db::parse_membership(member.membership().value_or("leave")).value_or(db::Membership::leave);
}

db::Membership membership_of(const StoredEventPtr& member) {
  return member ? membership_of(*member->event) : db::Membership::leave;
}

std::vector<StateKey> stripped_state_keys() {
  std::vector<StateKey> keys;
  for (const char* type : {"m.room.create", "m.room.name", "m.room.avatar", "m.room.topic", "m.room.join_rules",
                           "m.room.canonical_alias", "m.room.encryption"})
    keys.emplace_back(type, "");
  return keys;
}

}  // namespace causeway
