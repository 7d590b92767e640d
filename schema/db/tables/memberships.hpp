// Table memberships: local users' relations to rooms.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/db/tables/enums.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

inline constexpr int max_rooms_per_user = 100'000;
inline constexpr int max_local_members = 1'000'000;

struct MembershipRow {
  RoomNid room{};
  Membership membership{};
  EventNid event{};
  StreamPosition position = 0;
  std::optional<std::string> stripped_state;
};

// Those not forgotten, by room.
std::vector<MembershipRow> memberships_of_user(Connection& connection, UserNid user);

// Those forgotten with since < position <= until, and when the last was (0: never).
std::vector<MembershipRow> forgotten_memberships(Connection& connection, UserNid user, StreamPosition since,
                                                 StreamPosition until);
StreamPosition last_forgotten(Connection& connection, UserNid user);

// The local users who are joined.
struct LocalMember {
  RoomNid room{};
  UserNid nid{};
};
std::vector<LocalMember> joined_local_members(Connection& connection, std::span<const RoomNid> rooms);

}  // namespace causeway::db
