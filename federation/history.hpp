// Walks through a room's events on behalf of another server.
#pragma once

#include <set>
#include <vector>

#include "homeserver/events/event_store.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"

namespace causeway::federation {

struct Walk {
  std::vector<EventId> from;     // these first
  std::set<EventId> not_beyond;  // neither returned nor walked through
  std::size_t limit = 10;
  std::int64_t min_depth = 0;
};

// Breadth first along prev_events, the newest first. Rejected events and outliers are walked past, not returned.
// Bounded in events looked at and in round trips.
Task<std::vector<StoredEventPtr>> walk_back(EventStore& events, RoomInfoPtr room, Walk walk);

// The auth chain of some events: the events that their auth_events lead to, themselves only if they are among those.
// M_RESOURCE_LIMIT_EXCEEDED when it is too long.
Task<Result<std::vector<StoredEventPtr>>> auth_chain_of(EventStore& events, std::vector<StoredEventPtr> of);

}  // namespace causeway::federation
