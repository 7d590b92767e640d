// Gets one inbound event into its room although what it builds on is not here.
//
// First the events in between are asked for; where the gap is too wide, the state before it is. Everything is bounded:
// rounds, events, and how often state may be fetched.
#pragma once

#include <vector>

#include "federation/remote_rooms.hpp"
#include "homeserver/rooms/room_service.hpp"

namespace causeway::federation {

class MissingEvents {
 public:
  struct Services {
    EventStore& events;
    RoomService& rooms;
    RemoteRooms& remote;
  };
  // `origin` sent the event and is asked for the others.
  MissingEvents(Services services, RoomInfoPtr room, ServerName origin)
      : services_(services), room_(std::move(room)), origin_(std::move(origin)) {}

  // True when the event is settled: accepted, rejected or refused. False when what it needs can't be had now.
  Task<bool> receive(VerifiedEvent event);

 private:
  // The events between the room as it is here and `event`, `event` included, oldest first.
  Task<std::vector<VerifiedEvent>> collect(VerifiedEvent event);
  Task<std::vector<EventId>> unknown(std::vector<EventId> ids);
  Task<bool> receive_one(VerifiedEvent event);
  Task<bool> fetch_auth_events(EventId of, std::vector<EventId> missing);
  Task<bool> receive_with_fetched_state(VerifiedEvent event);
  Task<bool> store_state(EventId at, RemoteServers::StateIds ids);

  Services services_;
  RoomInfoPtr room_;
  ServerName origin_;
  std::size_t state_fetches_ = 0;
};

}  // namespace causeway::federation
