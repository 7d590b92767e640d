// History from before this server's time in a room, fetched when somebody asks for it.
//
// spec: server-server-api#backfilling-and-retrieving-missing-events
#pragma once

#include <unordered_map>
#include <vector>

#include "homeserver/rooms/head/redactions.hpp"
#include "homeserver/rooms/receiving/event_judge.hpp"
#include "homeserver/rooms/receiving/inbound_placer.hpp"
#include "homeserver/rooms/receiving/state_fetcher.hpp"
#include "homeserver/runtime/local_server.hpp"

namespace causeway {

class Backfiller {
 public:
  struct Services {
    db::Database& database;
    EventStore& events;
    RoomReader& reader;
    RoomHeads& heads;
    const ForkedState::Services& forks;
    Redactions& redactions;
    InboundPlacer& placer;
    EventJudge& judge;
    StateFetcher& states;
    const BoundRemoteServers& remote;
    const LocalServer& self;
  };
  explicit Backfiller(Services services) : services_(services) {}

  // Before the last gap at or before a place. Bounded. An error where more may be had another time; none also where
  // those who answered have nothing that this server lacks.
  Task<Result<>> backfill(RoomInfoPtr room, OrderKey before, std::size_t limit);

 private:
  using RootStates = std::unordered_map<EventId, std::vector<EventId>>;  // state before an event, by its ID
  Task<RootStates> fetch_root_states(RoomInfoPtr room, std::vector<EventPtr> roots, std::vector<ServerName> servers);
  Task<Result<>> append(RoomId room, OrderKey later, std::vector<VerifiedEvent> events, RootStates states);

  // One job's: what it adds to the room, and what is here of it.
  struct Job {
    Job(const ForkedState::Services& forks, RoomHead& at) : head(at), forked(forks, head, *unit) {}
    RoomHead& head;
    WriteUnitPtr unit = std::make_shared<WriteUnit>();
    ForkedState forked;
    RootStates states;
    KnownEvents known, placed;
    Redactions::Waiting redactions;
  };
  Task<NewEventPtr> place(Job& job, const VerifiedEvent& event);

  Services services_;
};

}  // namespace causeway
