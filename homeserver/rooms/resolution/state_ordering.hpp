// The two orders in which state resolution judges events. Internal to state resolution.
//
// spec: rooms/v2#definitions
#pragma once

#include <vector>

#include "homeserver/rooms/resolution/state_resolution.hpp"

namespace causeway::resolution {

using EventList = std::vector<const GraphEvent*>;

// Step 1's set in reverse topological power ordering. `create` is the room's where its version does not cite it.
EventList order_power_events(const EventSet& full, const EventGraph& events, const Event* create);

// Mainline ordering based on a power_levels event; nullptr: none. The graph knows what may be on the mainline.
// `levels_key` stands for m.room.power_levels.
void sort_by_mainline(EventList& events, const GraphEvent* power_levels, const AuthGraph& graph,
                      StateKeyNid levels_key);

// What the graph has to know before mainlines can be followed from these events.
std::vector<EventNid> unknown_on_mainlines(const std::vector<EventNid>& from, const AuthGraph& graph,
                                           StateKeyNid levels_key);

}  // namespace causeway::resolution
