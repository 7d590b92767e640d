// States beside the head: before events that don't follow the head alone, after state events on forks, and their
// resolution. docs/ARCHITECTURE.md, "State is a timeline".
#pragma once

#include <map>
#include <set>
#include <vector>

#include "homeserver/rooms/auth/auth_graphs.hpp"
#include "homeserver/rooms/head/room_builder.hpp"
#include "homeserver/rooms/head/room_head.hpp"
#include "homeserver/rooms/resolution/resolution_bounds.hpp"
#include "homeserver/rooms/resolution/state_resolution.hpp"
#include "homeserver/runtime/cpu_pool.hpp"

namespace causeway {

// One job's view of a room's states, with the lines that the job adds to its unit. Runs in the room's lane. What asks
// for a whole map may be called only when nothing of the room is in flight (RoomHeads::settle).
class ForkedState {
 public:
  struct Services {
    EventStore& events;
    StateStore& states;
    Interner& interner;
    RoomHeads& heads;
    RoomBuilder& builder;
    AuthGraphs& graphs;
    CpuPool& cpu;
    ResolutionBounds bounds;
  };
  ForkedState(const Services& services, RoomHead& head, WriteUnit& unit)
      : services_(services), head_(head), unit_(unit) {}

  // The state before an event with these prev_events, all of them. M_LIMIT_EXCEEDED: its resolution is out of bounds.
  Task<Result<StateRef>> before(std::vector<StoredEventPtr> prev_events);
  // The same where some prev_events are not here: of those, the states after them as peers told them, at least one.
  Task<Result<StateRef>> before(std::vector<StoredEventPtr> prev_events, std::vector<StateMapPtr> told);
  // The state after a state event that is not on the main line.
  StateRef after(StateRef before, StateKeyNid key, EventNid event);

  // Which events hold these keys there; nullptr where none does.
  Task<std::vector<StoredEventPtr>> holders(StateRef at, std::vector<StateKeyNid> keys);
  // The main line becomes what the states after the head's extremities resolve to, with the unit's event `event_index`.
  // M_LIMIT_EXCEEDED as above.
  Task<Result<>> resolve_extremities(std::size_t event_index);
  // The main line becomes a state given whole.
  Task<> replace_current(StateMapPtr state, std::size_t event_index);

 private:
  struct Derived {
    StateRef base;
    StateKeyNid key{};
    EventNid event{};
  };
  Task<StateMapPtr> at(StateRef ref);
  Task<std::vector<StateMapPtr>> at(std::vector<StateRef> refs);
  Task<Result<StateMapPtr>> resolve(std::vector<StateMapPtr> states);
  Task<StateRef> place(StateMapPtr state, std::vector<StateRef> likely);
  using ResolutionPtr = std::shared_ptr<Resolution>;
  Task<ResolutionPtr> find_conflict(std::vector<StateMapPtr> states);
  Task<Result<>> plan(ResolutionPtr resolution, std::shared_ptr<AuthGraph> graph);
  Task<> learn(std::shared_ptr<AuthGraph> graph, std::vector<EventNid> unknown);
  Task<std::vector<EventNid>> agreed_on(const Resolution& resolution, const EventGraph& events);
  Task<std::vector<StoredEventPtr>> events_of(std::vector<EventNid> nids);
  StateRef add_line(std::optional<StateRef> parent, const StateMap& parent_state, StateMapPtr state);
  StateRef begin_line(std::optional<StateRef> parent);
  void write(StateRef at, StateKeyNid key, EventNid event);
  Task<> number_servers(std::vector<StoredEventPtr> before, std::vector<StoredEventPtr> after);
  void remember_resolution(std::vector<StateRef> of, StateRef result);

  const Services& services_;
  RoomHead& head_;
  WriteUnit& unit_;
  std::map<StateRef, StateMapPtr> fresh_;  // of lines this job adds
  std::map<StateRef, Derived> derived_;    // the same by what they differ in
};

}  // namespace causeway
