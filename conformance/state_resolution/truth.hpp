// The truth about a room's states: full snapshots, resolved naively and from scratch.
#pragma once

#include "conformance/state_resolution/naive_state_resolution.hpp"

namespace causeway::test {

using EventIds = std::set<std::string>;

class Truth {
 public:
  explicit Truth(const RoomVersion& version) : version_(version) {}

  // All that the event names has been added before.
  void add(EventPtr event);
  bool has(const std::string& id) const { return graph_.contains(id); }
  const EventPtr& event(const std::string& id) const { return graph_.at(id).event; }

  // The state before an event, whether that allows it, and the state that those after some events resolve to.
  const NaiveState& before(const std::string& id);
  bool is_rejected(const std::string& id) const { return graph_.at(id).rejected; }
  const NaiveState& state_of(const EventIds& extremities);
  bool allows(const Event& event, const NaiveState& state) const;

 private:
  NaiveState after(const std::string& id);

  const RoomVersion& version_;
  NaiveGraph graph_;
  std::map<EventIds, NaiveState> states_;
};

}  // namespace causeway::test
