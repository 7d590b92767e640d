// Merges forward extremities where nobody here writes and so nothing would: state would be resolved among all of them
// with every event that comes. The merging event goes to no server until another event cites it, or each server of the
// room would add a branch by trying to take some away.
#pragma once

#include "homeserver/rooms/receiving/inbound_events.hpp"

namespace causeway {

class ExtremityMerger {
 public:
  struct Services {
    Interner& interner;
    RoomReader& reader;
    RoomHeads& heads;
    RoomBuilder& builder;
    InboundEvents& inbound;
    const Clock& clock;
    const LocalServer& self;
  };
  explicit ExtremityMerger(Services services) : services_(services) {}

  // Where a room has many, by events that no client sees: now and then, but at once where an event can't name them all.
  // Outside the lane.
  Task<> merge(RoomId room);
  // Only there: so that the next event stands on the current state.
  Task<> merge_if_too_many(RoomId room);

 private:
  Task<Result<EventPtr>> build(RoomId room);
  Task<std::optional<LocalDraft>> draft(RoomHead& head);

  Services services_;
};

}  // namespace causeway
