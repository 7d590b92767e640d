#pragma once

#include <vector>

#include "homeserver/events/stored_event.hpp"
#include "schema/matrix/ids.hpp"

namespace causeway {

// What a peer whose join was accepted is told: the state before it and its auth chain, all as stored.
struct JoinReply {
  EventPtr event;  // with our signature added where a restricted join needs it
  std::vector<StoredEventPtr> state, auth_chain;
  std::vector<ServerName> servers;
};

}  // namespace causeway
