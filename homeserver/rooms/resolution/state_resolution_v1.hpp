// State resolution of room version 1. Internal to state resolution.
//
// spec: rooms/v1#state-resolution
#pragma once

#include <span>

#include "homeserver/rooms/resolution/state_resolution.hpp"

namespace causeway::resolution {

// `events` has the conflicted events, and `agreed`: who is agreed on for the keys that judging them asks.
StateMap resolve_v1(const Conflict& conflict, const EventGraph& events, std::span<const EventNid> agreed);

}  // namespace causeway::resolution
