// The two orders in which state resolution judges events. Internal to state resolution.
//
// spec: rooms/v2#definitions
#pragma once

#include <vector>

#include "homeserver/rooms/state_conflict.hpp"

namespace causeway::resolution {

using EventList = std::vector<const GraphEvent*>;

// The first of an event's auth events that holds this key; rejected ones too. nullptr if there is none.
const GraphEvent* auth_event(const GraphEvent& event, const EventGraph& graph, std::string_view type,
                             std::string_view state_key);

// Step 1's set: the power events among `full`, and those of `full` in their auth chains, in reverse topological power
// ordering. `create` is the room's where its version does not cite it.
EventList order_power_events(const EventSet& full, const EventGraph& graph, const Event* create);

// Mainline ordering based on a power_levels event; nullptr: none.
void sort_by_mainline(EventList& events, const EventGraph& graph, const GraphEvent* power_levels);

}  // namespace causeway::resolution
