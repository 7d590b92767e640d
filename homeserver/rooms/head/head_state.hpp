// What is asked of a room's current state time and again. In the room's lane.
#pragma once

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "homeserver/rooms/head/room_head.hpp"

namespace causeway {

// The levels of a room, with the events they are read from.
class RoomPowerLevels {
 public:
  RoomPowerLevels(EventPtr levels, EventPtr create)
      : levels_(std::move(levels)), create_(std::move(create)), read_(levels_.get(), create_.get()) {}
  const PowerLevels* operator->() const { return &read_; }

 private:
  EventPtr levels_, create_;
  PowerLevels read_;
};

Task<RoomPowerLevels> power_levels(RoomHeads& heads, RoomHead& head);
// Leave where the room has no member event of the user.
Task<db::Membership> membership_in(RoomHeads& heads, RoomHead& head, UserId user);

}  // namespace causeway
