// What becomes of events from other servers, and what these may tell with one.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "homeserver/rooms/remote_servers.hpp"

namespace causeway {

// What became of an inbound event.
enum class Received {
  accepted,
  duplicate,  // had it already
  soft_failed,
  rejected,  // stored, never shown
  refused,   // not stored: ACL, unknown room, its auth events can't be had
  missing,   // its prev_events are not here; see missing_prev
};
struct ReceiveOutcome {
  static ReceiveOutcome of(Received result, std::string reason = {}) {
    ReceiveOutcome outcome;
    outcome.result = result;
    outcome.reason = std::move(reason);
    return outcome;
  }
  Received result{};
  std::string reason;                 // for refused, rejected, soft_failed
  std::vector<EventId> missing_prev;  // for missing: prev_events not here
  std::vector<EventId> missing_auth;  // for missing: auth_events not here
};

// What a peer tells of an event: the state before it, as IDs of events that are stored here, and where it is a state
// event that is not here, itself.
struct ToldState {
  EventId of;
  std::vector<EventId> before;
  std::optional<VerifiedEvent> event = {};
};

}  // namespace causeway
