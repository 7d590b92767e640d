// Room state as integers, and where it stands on the timeline.
#pragma once

#include <boost/unordered/unordered_flat_map.hpp>
#include <compare>
#include <memory>

#include "schema/matrix/ids.hpp"

namespace causeway {

// A key of a state map in words. Inside, StateKeyNid stands for it.
struct StateKey {
  std::string type;
  std::string state_key;
  friend auto operator<=>(const StateKey&, const StateKey&) = default;
};

using StateMap = boost::unordered_flat_map<StateKeyNid, EventNid>;
using StateMapPtr = std::shared_ptr<const StateMap>;

// A version of a line of a room's state. Line 0 is what this server resolved. Version 0 of a line is its parent's
// version (or, without a parent, the empty state).
struct StateRef {
  std::int32_t line = 0;
  std::int32_t version = 0;
  friend auto operator<=>(const StateRef&, const StateRef&) = default;
};

// Where an event stands in its room for pagination. Live: (position, 0). Backfilled: (anchor, negative), before that
// anchor.
struct OrderKey {
  StreamPosition anchor = 0;
  std::int32_t sub = 0;
  friend auto operator<=>(const OrderKey&, const OrderKey&) = default;
};

}  // namespace causeway
