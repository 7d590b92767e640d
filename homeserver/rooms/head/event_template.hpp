#pragma once

#include <boost/json/object.hpp>

#include "schema/events/room_version.hpp"

namespace causeway {

// An event that would come next in a room, for another server to date, hash and sign.
struct EventTemplate {
  const RoomVersion* version = nullptr;
  boost::json::object event;
};

}  // namespace causeway
