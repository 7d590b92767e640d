// Table room_state read along time: who held a few keys of the main line, and the members of today.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "schema/db/database.hpp"
#include "schema/db/tables/enums.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway::db {

// `event` holds `key` on the main line for from_version <= version < to_version.
struct StateSpan {
  StateKeyNid key{};
  std::int32_t from_version = 0;
  std::int32_t to_version = 0;
  EventNid event{};  // 0: nothing holds it
};

inline constexpr int max_state_spans = 10'000;

// The spans of the keys that reach into [first, last], newest first, at most max_state_spans.
std::vector<StateSpan> main_line_spans(Connection& connection, RoomNid room, std::span<const StateKeyNid> keys,
                                       std::int32_t first, std::int32_t last);

// Every m.room.member event of a room's current state.
struct MemberRow {
  RoomNid room{};
  std::int32_t state_version = 0;  // of the main line it was read at
  std::string state_key;
  EventNid event{};
  std::optional<Membership> membership;  // none: the event names none that there is
};
// Of one room; more throw std::length_error.
inline constexpr std::size_t max_members = 1'000'000;

// The members of the first of these rooms, by room: of as many as have `at_once` together, but of one at least. Returns
// of how many rooms.
std::size_t current_members(Connection& connection, std::span<const RoomNid> rooms, std::size_t at_once,
                            std::vector<MemberRow>& members);

// m.room.name and m.room.canonical_alias of the rooms' current state. In no order.
struct NameRow {
  RoomNid room{};
  std::string json;
};
std::vector<NameRow> current_names(Connection& connection, std::span<const RoomNid> rooms);

}  // namespace causeway::db
