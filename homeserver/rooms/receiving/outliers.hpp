// Events outside the timeline: auth events, and the state of a snapshot. Each is judged by its own auth_events.
//
// spec: server-server-api#checks-performed-on-receipt-of-a-pdu (the fourth check)
#pragma once

#include <optional>
#include <vector>

#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/rooms/receiving/outlier_judgement.hpp"

namespace causeway {

class Outliers {
 public:
  Outliers(Interner& interner, EventStore& events, EventWriter& writer, RoomHeads& heads)
      : interner_(interner), events_(events), writer_(writer), heads_(heads) {}

  struct Stored {
    KnownEvents known;              // what was given, and what that cites, stored now or before
    std::vector<EventId> left_out;  // auth events are not here
  };
  // Any order. In the room's lane, or of a room that nobody else knows yet, which is then made with them.
  Task<Result<Stored>> store(RoomNid room, std::vector<VerifiedEvent> events, std::optional<NewRoom> new_room);

  // Takes the lane of a room that is known. Those of another room or version count for nothing; those that are not
  // stored are returned.
  Task<std::vector<EventId>> add(RoomId room, const RoomVersion* version, std::vector<VerifiedEvent> events);

 private:
  Task<std::vector<NewEventPtr>> as_outliers(RoomNid room, const std::vector<VerifiedEvent>& events,
                                             const KnownEvents& unjudged);

  Interner& interner_;
  EventStore& events_;
  EventWriter& writer_;
  RoomHeads& heads_;
};

}  // namespace causeway
