// What a new room starts with. Pure.
//
// spec: client-server-api#post_matrixclientv3createroom
#pragma once

#include <boost/json/object.hpp>
#include <optional>
#include <string>
#include <vector>

#include "homeserver/rooms/requests.hpp"
#include "schema/matrix/error.hpp"

namespace causeway {

struct InitialEvent {
  std::string type;
  std::string state_key;
  boost::json::object content;
};

struct RoomPlan {
  const RoomVersion* version = nullptr;
  boost::json::object create;
  boost::json::object power_levels;
  std::vector<InitialEvent> events;  // between these and the invites, in the order of the specification
  std::optional<RoomAlias> alias;
};

// M_UNSUPPORTED_ROOM_VERSION, M_INVALID_PARAM, M_BAD_JSON.
Result<RoomPlan> plan_room(const CreateRoom& request, const ServerName& self);

// Whether a client may want a room to start so. M_BAD_JSON, M_INVALID_ROOM_STATE.
Result<> check_plan(const CreateRoom& request, const RoomPlan& plan);

}  // namespace causeway
