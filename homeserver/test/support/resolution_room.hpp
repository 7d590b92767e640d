// A room in memory for tests of state resolution: a graph of hand-made events whose auth_events follow from the state
// they were sent in.
#pragma once

#include <deque>
#include <map>
#include <random>
#include <set>

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "homeserver/rooms/resolution/state_resolution.hpp"
#include "homeserver/test/support/room_kit.hpp"

namespace causeway::test {

class ResolutionRoom : public EventGraph {
 public:
  // Numbers of events and keys depend on the seed and come in any order.
  explicit ResolutionRoom(const RoomVersion& version, unsigned seed = 0) : version_(version), numbers_(seed) {}

  // Adds an event sent in the state `before`. Event IDs are "$" + name.
  EventNid add(const std::string& name, const EventText& text, Timestamp ts, const StateMap& before);
  EventNid add_create(const std::string& content = "{}");
  bool allows(const EventText& text, const StateMap& before) const;
  void mark_rejected(EventNid nid) { at(nid).rejected = true; }
  // A second number for an event, with auth events of its own.
  EventNid add_alias(EventNid of, std::vector<EventNid> auth);

  StateMap with(StateMap before, EventNid event) const;
  StateKeyNid key(const std::string& type, const std::string& state_key);
  StateMap resolve(const std::vector<StateMap>& states) const { return resolve(states, graph_); }
  // The same over a graph that is told of events only when it asks for them.
  StateMap resolve_fetching(const std::vector<StateMap>& states) const { return resolve(states, AuthGraph()); }
  Resolution resolution_of(const std::vector<StateMap>& states) const;
  const AuthGraph& graph() const { return graph_; }

  const GraphEvent* find(EventNid nid) const override;
  const RoomVersion& version() const { return version_; }
  // What a state holds, by event ID: for comparing and for reading.
  std::map<StateKey, std::string> describe(const StateMap& state) const;
  std::string holder(const StateMap& state, const std::string& type, const std::string& state_key) const;

 private:
  struct Node {
    GraphEvent graph;
    std::vector<EventNid> auth;
    std::int64_t order = 0;
  };
  GraphEvent& at(EventNid nid) { return nodes_.at(nid).graph; }
  EventNid insert(EventPtr event, std::vector<EventNid> auth);
  std::vector<EventNid> select_auth_events(const EventText& text, const StateMap& before) const;
  std::int64_t fresh_number();
  StateMap resolve(const std::vector<StateMap>& states, AuthGraph graph) const;
  void tell(AuthGraph& graph, EventNid nid) const;

  const RoomVersion& version_;
  std::mt19937 numbers_;
  std::set<std::int64_t> taken_;
  std::map<StateKey, StateKeyNid> keys_;
  AuthGraph graph_;
  std::unordered_map<EventNid, Node> nodes_;
};

}  // namespace causeway::test
