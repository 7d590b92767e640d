// States beside the head: before events that don't follow the head alone, after state events on forks, and their
// resolution. docs/ARCHITECTURE.md, "State is a timeline".
#pragma once

#include <map>
#include <vector>

#include "homeserver/rooms/room_builder.hpp"
#include "homeserver/rooms/room_head.hpp"
#include "homeserver/runtime/cpu_pool.hpp"

namespace causeway {

// One job's view of a room's states, with the lines that the job adds to its unit. Runs in the room's lane. What asks
// for a whole map may be called only when nothing of the room is in flight (RoomHeads::settle).
class ForkedState {
 public:
  struct Services {
    EventStore& events;
    StateStore& states;
    RoomHeads& heads;
    RoomBuilder& builder;
    CpuPool& cpu;
  };
  ForkedState(const Services& services, RoomHead& head, WriteUnit& unit)
      : services_(services), head_(head), unit_(unit) {}

  // The state before an event with these prev_events, all of them.
  Task<StateRef> before(std::vector<StoredEventPtr> prev_events);
  // A state given whole, by a peer.
  Task<StateRef> from_snapshot(StateMap snapshot);
  // The state after a state event that is not on the main line.
  StateRef after(StateRef before, StateKeyNid key, EventNid event);

  // Which events hold these keys there; nullptr where none does.
  Task<std::vector<StoredEventPtr>> holders(StateRef at, std::vector<StateKeyNid> keys);
  // The main line becomes what the states after the head's extremities resolve to, with the unit's event `event_index`.
  Task<> resolve_extremities(std::size_t event_index);
  // The main line becomes a state given whole.
  Task<> replace_current(StateMapPtr state, std::size_t event_index);

 private:
  struct Derived {
    StateRef base;
    StateKeyNid key{};
    EventNid event{};
  };
  Task<StateMapPtr> at(StateRef ref);
  Task<StateMapPtr> resolve(std::vector<StateRef> refs);
  Task<std::vector<StoredEventPtr>> graph_of(std::vector<StateMapPtr> states);
  Task<std::vector<StoredEventPtr>> events_of(std::vector<EventNid> nids);
  StateRef add_line(std::optional<StateRef> parent, const StateMap& parent_state, StateMapPtr state);

  const Services& services_;
  RoomHead& head_;
  WriteUnit& unit_;
  std::map<StateRef, StateMapPtr> fresh_;  // of lines this job adds
  std::map<StateRef, Derived> derived_;    // the same by what they differ in
};

}  // namespace causeway
