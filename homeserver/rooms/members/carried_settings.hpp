// What a user set for a room's predecessor, when they come into the room.
//
// spec: client-server-api#room-upgrades: "some of the user's personalized settings". Tags, and being a direct chat.
#pragma once

#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/rooms/requests.hpp"
#include "homeserver/runtime/lanes.hpp"

namespace causeway {

class CarriedSettings {
 public:
  struct Services {
    db::Database& database;
    EventWriter& writer;
    RoomReader& reader;
    RoomHeads& heads;
    UserLanes& account_data_lanes;
  };
  explicit CarriedSettings(Services services) : services_(services) {}

  // Best effort. No-op where the room replaces none.
  Task<> carry_over(Sender user, RoomId into);

 private:
  Task<RoomInfoPtr> predecessor_of(RoomId room);

  Services services_;
};

}  // namespace causeway
