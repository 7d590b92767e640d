// Redactions: who may, what becomes of the target, and those whose target comes later. In the room's lane.
//
// spec: rooms/v3#handling-redactions; in versions 1 and 2 the authorisation rules say who may
#pragma once

#include <unordered_map>
#include <vector>

#include "homeserver/rooms/head/head_state.hpp"
#include "schema/db/database.hpp"

namespace causeway {

class Redactions {
 public:
  Redactions(db::Database& database, EventStore& events, RoomHeads& heads)
      : database_(database), events_(events), heads_(heads) {}

  // Whether a local user may send one. M_NOT_FOUND: there is no such event; M_FORBIDDEN.
  Task<Result<>> may_send(RoomHead& head, UserId sender, EventId target);

  // Redacts what an accepted redaction names, or records it until that arrives: that of a local user by the room's
  // levels, any other by those among its auth events.
  Task<> apply(RoomHead& head, WriteUnit& unit, NewEventPtr redaction);
  Task<> apply(RoomHead& head, WriteUnit& unit, NewEventPtr redaction, std::vector<StoredEventPtr> auth_events);

  // The other way round: accepted redactions that wait for the events that arrive, by their targets.
  using Waiting = std::unordered_map<EventId, std::vector<StoredEventPtr>>;
  Task<Waiting> waiting_for(std::vector<EventPtr> arriving);
  // Redacts what has arrived if one of them applies to it, and has that redaction shown.
  Task<> apply_waiting(RoomHead& head, WriteUnit& unit, NewEventPtr arrived, const Waiting& waiting);

 private:
  Task<RoomPowerLevels> levels_cited(RoomHead& head, std::vector<StoredEventPtr> auth_events);
  Task<> apply_by(RoomPowerLevels levels, RoomHead& head, WriteUnit& unit, NewEventPtr redaction);

  db::Database& database_;
  EventStore& events_;
  RoomHeads& heads_;
};

}  // namespace causeway
