// State resolution v1, v2 and v2.1: pure, over integers. Nothing is fetched while it runs; it says what it needs
// instead, so that of a large room only what is in dispute has to be fetched.
//
//   Resolution resolution(version, states, power_levels_key);
//   while (auto unknown = resolution.plan(graph); !unknown.empty()) { add them to the graph }
//   fetch resolution.events_to_judge(), what they cite, and who is agreed on for resolution.keys_asked();
//   resolution.resolve(graph, events);
//
// spec: rooms/v1#state-resolution, rooms/v2#state-resolution, rooms/v12#state-resolution
#pragma once

#include <span>
#include <vector>

#include "homeserver/events/state_map.hpp"
#include "homeserver/rooms/auth/auth_rules.hpp"
#include "homeserver/rooms/resolution/state_conflict.hpp"
#include "schema/events/event.hpp"

namespace causeway {

// What resolution needs to know of an event that it judges or judges by.
struct GraphEvent {
  EventNid nid{};
  StateKeyNid key{};
  EventPtr event;
  std::span<const EventNid> auth;  // its auth_events
  bool rejected = false;
};

// Read-only and safe to read from the CPU pool.
class EventGraph {
 public:
  virtual ~EventGraph() = default;
  // nullptr for an event this server has never had; resolution then goes on as if it were not cited.
  virtual const GraphEvent* find(EventNid nid) const = 0;
};

// Resolves the states of a room's branches. One state resolves to itself. Deterministic: the order of the states does
// not matter, nor do the numbers.
class Resolution {
 public:
  // At least one state, at most resolution::max_states; and the number of the key of m.room.power_levels.
  Resolution(const RoomVersion& version, std::span<const StateMapPtr> states, StateKeyNid power_levels);

  // Finds which events take part. Returns those that the graph has to know first (add them, or that they are absent,
  // and plan again); nothing when it is done, or when there is no conflict.
  std::vector<EventNid> plan(const AuthGraph& graph);
  const EventSet& events_to_judge() const { return full_; }  // the full conflicted set
  std::size_t steps() const { return steps_; }               // of the last plan

  // The keys for which judging asks the unconflicted state map. `events` has those to judge.
  std::vector<StateKey> keys_asked(const EventGraph& events) const;
  // Who holds a key in the unconflicted state map; 0: nobody.
  EventNid agreed_on(StateKeyNid key) const { return conflict_.agreed_on(key); }

  // The resolved state. `events` has the events to judge, what they cite, and `agreed`: who is agreed on for the keys
  // asked.
  StateMap resolve(const AuthGraph& graph, const EventGraph& events, std::span<const EventNid> agreed) const;

 private:
  bool starts_empty() const { return version_.state_resolution == StateResolution::v2_1; }

  const RoomVersion& version_;
  StateKeyNid power_levels_;
  resolution::Conflict conflict_;
  EventSet full_;
  std::size_t steps_ = 0;
};

}  // namespace causeway
