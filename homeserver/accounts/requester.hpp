// Who asks: what the access token of a request stands for.
#pragma once

#include <string>

#include "schema/matrix/ids.hpp"

namespace causeway {

struct Requester {
  UserNid user_nid{};
  UserId user;
  DeviceNid device_nid{};
  std::string device_id;
  bool is_admin = false;
  bool is_guest = false, is_locked = false, is_suspended = false;
};

}  // namespace causeway
