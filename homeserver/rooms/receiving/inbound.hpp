// An event that others made, and what is here around it. Pure.
#pragma once

#include <algorithm>
#include <optional>
#include <vector>

#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/rooms/receiving/outlier_judgement.hpp"
#include "homeserver/rooms/receiving/received.hpp"

namespace causeway {

struct Inbound {
  static Inbound of(const VerifiedEvent& event) {
    Inbound inbound;
    inbound.event = event.event();
    inbound.hash_mismatch = event.hash_mismatch();
    return inbound;
  }
  EventPtr event;
  bool local = false;  // owed to the room's other servers
  bool hash_mismatch = false;
  bool only_if_accepted = false;  // else nothing is stored
  std::vector<ToldState> told;    // of prev_events that are not here, or of the event itself
  // Of this one among its prev_events.
  bool tells_of(const EventId& missing) const {
    return std::ranges::any_of(told, [&](const auto& one) { return one.of == missing || one.of == event->id(); });
  }
};

struct Surroundings {
  std::optional<ReceiveOutcome> outcome;  // what it comes to already
  StoredEventPtr existing;                // it was here as an outlier
  std::vector<StoredEventPtr> prev, auth;
  std::vector<EventId> missing_prev;
  bool at_tip = false;  // its prev_events are the head's extremities

  bool was_accepted() const { return existing && existing->counts(); }  // as an outlier
};

// `known`: what is here of the event and of all that it names. `placed`: events of the same unit.
Surroundings look_around(const RoomHead& head, const Inbound& inbound, const KnownEvents& known,
                         const KnownEvents& placed);

// Whether some of what it builds on is known by what a peer told alone.
bool builds_on_told(const Inbound& inbound, const Surroundings& around);

// What was accepted outside the timeline is part of states, and others cite it: that stands. Where its place does not
// allow it, it is hidden like what is soft-failed, and has no effect from there.
void mark(StoredEvent& stored, const Surroundings& around, Received result);

}  // namespace causeway
