// What the states of a room's branches disagree on, and which events take part in resolving it. Internal to state
// resolution.
//
// spec: rooms/v2#definitions, rooms/v12#definitions
#pragma once

#include <boost/unordered/unordered_flat_set.hpp>
#include <span>
#include <vector>

#include "homeserver/events/state_map.hpp"
#include "homeserver/rooms/auth/auth_graph.hpp"
#include "schema/events/room_version.hpp"

namespace causeway {

using EventSet = boost::unordered_flat_set<EventNid>;

namespace resolution {

// More states than a room can have to resolve: as many as extremities, or prev_events of one event.
inline constexpr std::size_t max_states = 64;

// The unconflicted state map is any of the states without `keys`.
struct Conflict {
  StateMapPtr any_state;
  boost::unordered_flat_set<StateKeyNid> keys;  // on which the states differ
  EventSet events;                              // the conflicted state set
  std::vector<std::vector<EventNid>> by_state;  // its part in each state

  // Who holds a key in the unconflicted state map; 0: nobody.
  EventNid agreed_on(StateKeyNid key) const;
  StateMap unconflicted() const;
};

Conflict find_conflict(std::span<const StateMapPtr> states);

struct FullConflictedSet {
  EventSet events;
  // Not empty: the graph has to know these before the set can be told. The rest is meaningless then.
  std::vector<EventNid> unknown;
  std::size_t steps = 0;  // events and edges that were looked at
};

// One pass over what the states agree on, and then from the newest events to older ones until the auth chains no longer
// differ.
FullConflictedSet full_conflicted_set(const RoomVersion& version, const Conflict& conflict, const AuthGraph& graph);

}  // namespace resolution
}  // namespace causeway
