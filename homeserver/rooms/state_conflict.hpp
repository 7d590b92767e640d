// What the states of a room's branches disagree on, and which events take part in resolving it. Internal to state
// resolution.
//
// spec: rooms/v2#definitions, rooms/v12#definitions
#pragma once

#include <span>
#include <unordered_set>
#include <vector>

#include "homeserver/rooms/state_resolution.hpp"

namespace causeway::resolution {

using EventSet = std::unordered_set<EventNid>;

struct Conflict {
  StateMap unconflicted;                        // the unconflicted state map
  EventSet events;                              // the conflicted state set
  std::vector<std::vector<EventNid>> by_state;  // its part in each state
};

Conflict find_conflict(std::span<const StateMapPtr> states);

// The full conflicted set; of events the graph has.
EventSet full_conflicted_set(const RoomVersion& version, const Conflict& conflict, const EventGraph& graph);

}  // namespace causeway::resolution
