// The state of rooms in a reply.
//
// `state` is what changed between `since` and the start of the timeline, and whatever the timeline's own state events
// do not bring about: with a fork resolved, or events filtered out, the state at the end is not what replaying the
// timeline gives. `state_after` is what changed until the end of the timeline.
#pragma once

#include <vector>

#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/sync_services.hpp"
#include "homeserver/sync/sync_span.hpp"

namespace causeway {

// The steps, in this order; each is of many rooms in one round trip where it can be. Over budget in part.
class RoomStates {
 public:
  RoomStates(const SyncServices& services, const SyncSpan& span, ReplyCost& cost)
      : s_(services), span_(span), cost_(cost) {}

  // Of rooms whose whole state is told. Before it is known which events are visible: that depends on the state.
  Task<> read_whole(std::vector<RoomPart>& rooms);
  // `state` and then the timeline, replayed, must end with the state at the end. Where they don't (an event between was
  // hidden or filtered out, or a fork was resolved against an event that is shown), the timeline begins behind the
  // event that would mislead.
  Task<> keep_what_replays(std::vector<RoomPart>& rooms);
  // By number, what the filter wants of it.
  Task<> choose(std::vector<RoomPart>& rooms);
  // Moves what was chosen by number into `state`. Again when more was chosen.
  Task<> load(std::vector<RoomPart>& rooms);
  void append_last_own_event(RoomPart& part) const;

 private:
  Task<> choose_of(RoomPart& part);
  Task<> choose_whole(RoomPart& part);
  Task<> choose_changed(RoomPart& part);
  Task<> correct_towards_end(RoomPart& part);
  Task<> sift_whole(std::vector<RoomPart>& rooms);

  const SyncServices& s_;
  const SyncSpan& span_;
  ReplyCost& cost_;
};

}  // namespace causeway
