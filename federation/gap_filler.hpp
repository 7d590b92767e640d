// Settles staged PDUs: fetches what they miss, in the background, room by room. An event that can't be settled is given
// up after a while and never holds up another.
//
// spec: server-server-api#backfilling-and-retrieving-missing-events
#pragma once

#include <memory>

#include "federation/remote_rooms.hpp"
#include "homeserver/rooms/room_service.hpp"
#include "homeserver/runtime/local_server.hpp"

namespace causeway::federation {

class GapFiller {
 public:
  struct Services {
    asio::any_io_executor reactor;
    db::Database& database;
    EventStore& events;
    RoomReader& reader;
    RoomService& rooms;
    RemoteRooms& remote;
    PduChecker& checker;
    const Clock& clock;
    Metrics& metrics;
    const LocalServer& self;
  };
  explicit GapFiller(Services services);
  ~GapFiller();

  // Stages an event and starts on its room. False when too many of the room wait already.
  Task<bool> stage(ServerName origin, EventPtr event);
  // Takes up what the last life left.
  Task<> start();
  // Ends when the workers have, whatever they use being still there; requests to other servers should be closed before.
  Task<> drain();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway::federation
