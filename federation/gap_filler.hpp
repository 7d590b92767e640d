// Settles staged PDUs: fetches what they miss, in the background, room by room. An event that can't be settled is given
// up after a while and never holds up another.
//
// spec: server-server-api#backfilling-and-retrieving-missing-events
#pragma once

#include <memory>

#include "federation/remote_rooms.hpp"
#include "homeserver/rooms/room_service.hpp"

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
  };
  explicit GapFiller(Services services);
  ~GapFiller();

  // Stages an event and starts on its room. False when too many of the room wait already.
  Task<bool> stage(ServerName origin, EventPtr event);
  // Takes up what the last life left.
  Task<> start();
  Task<> drain();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace causeway::federation
