// One server's view of a simulated room, by the real state resolution: in its own order of arrival, under numbers of
// its own that come in any order.
#pragma once

#include "conformance/state_resolution/simulated_room.hpp"
#include "homeserver/rooms/resolution/state_resolution.hpp"

namespace causeway::test {

class SimulatedServer : public EventGraph {
 public:
  SimulatedServer(SimulatedRoom& room, char name) : room_(room), name_(name), numbers_(name) {}

  char name() const { return name_; }
  bool is_in_room() const { return !extremities_.empty(); }
  bool has(Place place) const { return timeline_.contains(place); }
  bool can_place(Place place) const;  // has what the event names
  const std::map<Place, StateMap>& timeline() const { return timeline_; }
  const Places& extremities() const { return extremities_; }

  // An event whose prev_events are here.
  void receive(Place place);
  // The same whose state before comes from a peer, because they are not.
  void receive_with_state(Place place, const NaiveState& before);
  // The server's first event: its join, with the state before it.
  void join(Place join, const NaiveState& before);

  // What is held against the truth.
  NaiveState current() const { return describe(current_); }
  NaiveState before(Place place) const { return describe(timeline_.at(place)); }
  bool rejected(Place place) const { return nodes_.at(numbers_of_.at(place)).graph.rejected; }
  NaiveState resolve_extremities(const Places& extremities) const { return describe(resolve(extremities)); }

  const GraphEvent* find(EventNid nid) const override;

 private:
  struct Node {
    GraphEvent graph;
    std::vector<EventNid> auth;
    std::int64_t order = 0;
    Place place = 0;
  };
  EventNid learn(Place place);
  StateKeyNid key(const StateKey& name);
  StateMap learn_state(const NaiveState& state);
  bool allowed(const Event& event, const StateMap& state) const { return room_.allows(event, describe(state)); }
  void append(Place place, StateMap before);
  StateMap after(Place place) const;
  StateMap resolve(const Places& events) const;
  NaiveState describe(const StateMap& state) const;

  SimulatedRoom& room_;
  char name_;
  std::mt19937 numbers_;
  std::map<StateKey, StateKeyNid> keys_;
  std::map<StateKeyNid, StateKey> names_;
  std::map<Place, EventNid> numbers_of_;
  std::map<EventNid, Node> nodes_;
  AuthGraph graph_;
  std::map<Place, StateMap> timeline_;  // with the state before each
  Places extremities_;
  StateMap current_;
};

}  // namespace causeway::test
