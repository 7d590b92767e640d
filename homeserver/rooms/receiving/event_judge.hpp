// Whether an event that others made is allowed where it stands: the fourth to sixth check. In the room's lane.
//
// spec: server-server-api#checks-performed-on-receipt-of-a-pdu
#pragma once

#include <vector>

#include "homeserver/rooms/auth/auth_state.hpp"
#include "homeserver/rooms/head/forked_state.hpp"
#include "homeserver/rooms/receiving/received.hpp"

namespace causeway {

// The keys whose holders say whether an event is allowed.
std::vector<StateKey> keys_that_judge(const Event& event);

class EventJudge {
 public:
  EventJudge(Interner& interner, RoomHeads& heads) : interner_(interner), heads_(heads) {}

  enum class Against { state_before, current_state_too };
  // accepted, soft_failed or rejected. `stored` knows the state before it; `auth` are its auth events.
  Task<ReceiveOutcome> judge(RoomHead& head, ForkedState& forked, const StoredEvent& stored,
                             const std::vector<StoredEventPtr>& auth, Against against = Against::current_state_too);

 private:
  Task<AuthEvents> auth_state_at(ForkedState& forked, StateRef at, const Event& event);

  Interner& interner_;
  RoomHeads& heads_;
};

}  // namespace causeway
