// State resolution v2 and v2.1: pure, over integers; nothing is fetched while it runs.
//
// spec: rooms/v2#state-resolution, rooms/v12#state-resolution
#pragma once

#include <span>
#include <vector>

#include "homeserver/rooms/state_map.hpp"
#include "schema/events/event.hpp"

namespace causeway {

// What resolution needs to know of an event.
struct GraphEvent {
  EventNid nid{};
  StateKeyNid key{};
  EventPtr event;
  std::span<const EventNid> auth;  // its auth_events
  bool rejected = false;
};

// Every event of the states to resolve and of their auth chains. Read-only and safe to read from the CPU pool.
class EventGraph {
 public:
  virtual ~EventGraph() = default;
  // nullptr for an event this server has never had; resolution then goes on as if it were not cited.
  virtual const GraphEvent* find(EventNid nid) const = 0;
};

// The resolved state of a room whose branches have these states. One state resolves to itself. Deterministic: the order
// of `states` does not matter. Where there is a conflict, one pass over the states and over the auth chains of what
// they agree on; everything else grows with the conflict alone. Without one the graph is not asked.
StateMap resolve_state(const RoomVersion& version, std::span<const StateMapPtr> states, const EventGraph& graph);

}  // namespace causeway
