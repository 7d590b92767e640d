// The state before an event as another server tells it.
#pragma once

#include <vector>

#include "homeserver/rooms/reader/room_reader.hpp"
#include "homeserver/rooms/receiving/outliers.hpp"
#include "homeserver/rooms/remote_servers.hpp"

namespace causeway {

class StateFetcher {
 public:
  StateFetcher(EventStore& events, Outliers& outliers, const BoundRemoteServers& remote)
      : events_(events), outliers_(outliers), remote_(remote) {}

  // What of it and of its auth chain was not here is fetched and stored outside the timeline; some of it may be left
  // out.
  Task<Result<std::vector<EventId>>> fetch(RoomInfoPtr room, EventId before, ServerName from);

 private:
  Task<Result<std::vector<VerifiedEvent>>> fetch_events(RoomInfoPtr room, EventId before, std::vector<EventId> missing,
                                                        ServerName from);

  EventStore& events_;
  Outliers& outliers_;
  const BoundRemoteServers& remote_;
};

}  // namespace causeway
