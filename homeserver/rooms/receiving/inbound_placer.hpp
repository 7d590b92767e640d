// Finds an inbound event's place in its room: what is here around it, the form it is stored in, the state before it.
// In the room's lane.
#pragma once

#include <vector>

#include "homeserver/rooms/head/forked_state.hpp"
#include "homeserver/rooms/receiving/inbound.hpp"
#include "homeserver/rooms/receiving/told_states.hpp"

namespace causeway {

class InboundPlacer {
 public:
  InboundPlacer(Interner& interner, EventStore& events, ToldStates& told)
      : interner_(interner), events_(events), told_(told) {}

  // What is here of these events and of all that they name; one round trip at most.
  Task<KnownEvents> named_by(std::vector<EventPtr> events);
  // What was known as an outlier keeps its number and gets its place now. The state before it is for the caller to fill
  // in.
  Task<NewEventPtr> stored_form(RoomHead& head, const Inbound& inbound, const Surroundings& around);
  // M_LIMIT_EXCEEDED: its resolution is out of bounds; M_NOT_FOUND: what is told of it can't be true.
  Task<Result<StateRef>> state_before(RoomHead& head, ForkedState& forked, const Inbound& inbound,
                                      const Surroundings& around);

 private:
  Interner& interner_;
  EventStore& events_;
  ToldStates& told_;
};

}  // namespace causeway
