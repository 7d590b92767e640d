// Events outside the timeline, each judged by its own auth_events, and orders of events. Pure.
//
// spec: server-server-api#checks-performed-on-receipt-of-a-pdu (the fourth check)
#pragma once

#include <unordered_map>
#include <vector>

#include "homeserver/events/event_store.hpp"
#include "homeserver/rooms/remote_servers.hpp"

namespace causeway {

using KnownEvents = std::unordered_map<EventId, StoredEventPtr>;

// The auth events, and where no event cites it the room's create event.
std::vector<EventId> cited_by(const Event& event);

// Each event once, after those of its auth events, or of its prev_events, that are among them; what is part of a cycle
// is left out. Depth is the sender's word, so it only decides between those that no edges order, such as the pieces on
// both sides of an event that can't be had.
std::vector<VerifiedEvent> in_citing_order(const std::vector<VerifiedEvent>& events);
std::vector<VerifiedEvent> oldest_first(const std::vector<VerifiedEvent>& events);

// False: not all it cites is here. Else `stored` knows its auth events and whether it is rejected.
bool judge_outlier(StoredEvent& stored, const KnownEvents& known);

// Whether the answer to a join holds what the join builds on, so that nothing of a useless one is stored. M_UNKNOWN 502
// when something is missing or wrong, M_FORBIDDEN when that state does not allow the join.
Result<> check_join_answer(const RemoteJoin& joined);

}  // namespace causeway
