// What becomes of a room's state in its replacement by another version, and in the old room. Pure.
//
// spec: client-server-api#room-upgrades
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

// spec: client-server-api#post_matrixclientv3createroom: explicitly higher than state_default, from version 12 on. By
// default above what any listed user has: replacing a room is for its creators.
void raise_tombstone_level(boost::json::object& power_levels);

// Of an m.room.power_levels: no user and no action has more. At least 100.
std::int64_t highest_level(const RoomVersion& version, const boost::json::object& levels);

// The levels of the old room as the new version can have them. Creators have theirs by being creators from version 12
// on, and by being listed before.
boost::json::object carried_levels(const Event& levels, const RoomVersion& to, const Event& old_create,
                                   const std::vector<std::string>& new_creators);

// The old room's levels, closed to those who are no moderators.
boost::json::object quietened_levels(const Event& levels);

// A join rule that the version does not know would let nobody in, or everybody stay out.
void fit_join_rule(boost::json::object& content, const RoomVersion& to);

// What an m.room.canonical_alias says of the aliases that move to the replacement, and of the others.
struct CarriedAliases {
  std::optional<boost::json::object> moved;  // none: it names none of them
  boost::json::object kept;
};
CarriedAliases split_canonical_alias(const boost::json::object& content, const std::vector<RoomAlias>& moving);

}  // namespace causeway
