// Writes what local users want into a room, in its lane.
#pragma once

#include <functional>

#include "homeserver/rooms/head/redactions.hpp"
#include "homeserver/rooms/head/room_builder.hpp"
#include "homeserver/rooms/receiving/extremity_merger.hpp"
#include "homeserver/rooms/sending/transaction_log.hpp"

namespace causeway {

class LaneWriter {
 public:
  struct Services {
    RoomHeads& heads;
    RoomBuilder& builder;
    Redactions& redactions;
    ExtremityMerger& merger;
    TransactionLog& transactions;
    const LocalServer& self;
  };
  explicit LaneWriter(Services services) : services_(services) {}

  // Builds on the head into the unit. May run again on another head. Appends nothing when there is nothing to do.
  using Job = std::function<Task<Result<EventId>>(RoomHead& head, WriteUnit& unit)>;
  enum class Presence { needed, not_needed };
  // Runs a job in the lane of a room that this server is in, or that is known all the same, and commits: what it
  // returned, or for a transaction that was committed before, that one's event. M_FORBIDDEN: there is no such room
  // here.
  Task<Result<EventId>> commit(RoomId room, Job job, Presence presence = Presence::needed);

  // For jobs: appends an event of a local user, with what follows from it. A state event that repeats what the same
  // user set is the one that there is.
  Task<Result<EventId>> append(RoomHead& head, WriteUnit& unit, LocalDraft draft);

 private:
  Services services_;
};

}  // namespace causeway
