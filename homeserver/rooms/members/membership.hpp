// What a member event says, and what those who are not in a room yet are shown of it.
#pragma once

#include <vector>

#include "homeserver/events/stored_event.hpp"
#include "homeserver/rooms/auth/auth_rules.hpp"

namespace causeway {

// Leave where the event names no membership that there is.
db::Membership membership_of(const Event& member);
db::Membership membership_of(const StoredEventPtr& member);  // leave where there is no event

// The state that is shown with an invite, beside that of the members concerned. spec: client-server-api#stripped-state
std::vector<StateKey> stripped_state_keys();

}  // namespace causeway
