// States that other servers tell of events which are not here. They are one word among several: what is known of the
// room is resolved with them (ForkedState::before). In the room's lane.
//
// spec: server-server-api#room-state-resolution
#pragma once

#include <vector>

#include "homeserver/rooms/receiving/inbound.hpp"
#include "homeserver/rooms/receiving/outliers.hpp"

namespace causeway {

class ToldStates {
 public:
  ToldStates(Interner& interner, EventStore& events, Outliers& outliers)
      : interner_(interner), events_(events), outliers_(outliers) {}

  // The states after prev_events that are not here. What is told of these is stored outside the timeline where the
  // state before allows it. M_NOT_FOUND: what is told can't be a state.
  Task<Result<std::vector<StateMapPtr>>> after_missing(const RoomHead& head, const Inbound& inbound,
                                                       const Surroundings& around);

 private:
  Task<> apply(RoomNid room, StateMap& state, const ToldState& told);
  Task<bool> is_allowed_by(const StateMap& state, EventPtr event);

  Interner& interner_;
  EventStore& events_;
  Outliers& outliers_;
};

}  // namespace causeway
