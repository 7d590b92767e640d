// State resolution a second time: straight from the specification's sentences, with sets of strings and recursion,
// slow. The real one is held against it.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "schema/events/event.hpp"

namespace causeway::test {

struct NaiveEvent {
  EventPtr event;
  std::vector<std::string> auth;  // IDs
  bool rejected = false;
};
using NaiveGraph = std::map<std::string, NaiveEvent>;  // by ID
using NaiveState = std::map<StateKey, std::string>;    // to IDs

NaiveState resolve_naively_v1(const std::vector<NaiveState>& states, const NaiveGraph& graph);
NaiveState resolve_naively(const RoomVersion& version, const std::vector<NaiveState>& states, const NaiveGraph& graph);

}  // namespace causeway::test
