// Appends events that others made to a room, in its lane: judged, given their place, committed.
//
// spec: server-server-api#checks-performed-on-receipt-of-a-pdu (the fourth to sixth check)
#pragma once

#include <vector>

#include "homeserver/rooms/head/forked_state.hpp"
#include "homeserver/rooms/head/redactions.hpp"
#include "homeserver/rooms/receiving/event_judge.hpp"
#include "homeserver/rooms/receiving/inbound_placer.hpp"
#include "homeserver/runtime/local_server.hpp"
#include "homeserver/runtime/metrics.hpp"

namespace causeway {

class InboundEvents {
 public:
  struct Services {
    db::Database& database;
    EventStore& events;
    RoomHeads& heads;
    RoomBuilder& builder;
    const ForkedState::Services& forks;
    Redactions& redactions;
    InboundPlacer& placer;
    EventJudge& judge;
    Metrics& metrics;
    const LocalServer& self;
  };
  explicit InboundEvents(Services services);

  struct Appended {
    ReceiveOutcome outcome;
    StoredEventPtr stored;
  };
  // Of one room, in their order; as few commits as can be. What becomes of one does not depend on the others, but for
  // those that build on it. db::Unavailable where nothing is wrong with the events.
  Task<std::vector<Appended>> append(RoomId room, std::vector<Inbound> batch);
  Task<Appended> append(Inbound inbound);
  // Nothing is stored of what is not accepted. Of what was here already, `outcome` says whether it was accepted then.
  Task<Appended> append_if_accepted(Inbound inbound);

 private:
  // Events of one unit, and what became of each.
  struct Run {
    WriteUnitPtr unit;
    std::vector<Appended> appended;
  };
  Task<Run> append_run(RoomHead& head, std::vector<const Inbound*> events);
  Task<Appended> judge_and_append(RoomHead& head, ForkedState& forked, WriteUnit& unit, const Inbound& inbound,
                                  Surroundings around, const Redactions::Waiting& redactions);
  Task<Result<>> append_beside(RoomHead& head, WriteUnit& unit, ForkedState& forked, NewEventPtr stored,
                               Received result);
  void count(Received result);

  Services services_;
  prometheus::Counter& accepted_;
  prometheus::Counter& soft_failed_;
  prometheus::Counter& rejected_;
  prometheus::Counter& unresolved_;  // a state resolution is out of bounds
};

}  // namespace causeway
