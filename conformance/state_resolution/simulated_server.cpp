#include "conformance/state_resolution/simulated_server.hpp"

#include <algorithm>

namespace causeway::test {

bool SimulatedServer::can_place(Place place) const {
  return std::ranges::all_of(room_.at(place).prev, [this](Place prev) { return has(prev); });
}

// What an event cites is learnt first.
EventNid SimulatedServer::learn(Place place) {
  if (const auto known = numbers_of_.find(place); known != numbers_of_.end()) return known->second;
  std::vector<EventNid> auth;
  for (Place cited : room_.at(place).auth)
    auth.push_back(learn(cited));
  EventNid nid{};
  while (nid == EventNid{} || nodes_.contains(nid))
    nid = EventNid{static_cast<std::int64_t>(numbers_())};
  std::int64_t order = to_int(nid);
  for (EventNid cited : auth)
    order = std::max(order, nodes_.at(cited).order + 1);
  numbers_of_[place] = nid;
  Node& node = nodes_[nid];
  node.place = place;
  node.auth = std::move(auth);
  node.order = order;
  const EventPtr& event = room_.at(place).event;
  const StateKeyNid number = event->is_state() ? key({event->type(), *event->state_key()}) : StateKeyNid{};
  node.graph = {nid, number, event, node.auth, false};
  graph_.add(nid, order, number, node.auth);
  return nid;
}

StateKeyNid SimulatedServer::key(const StateKey& name) {
  const auto [found, added] = keys_.try_emplace(name, StateKeyNid{static_cast<std::int64_t>(keys_.size()) + 1});
  if (added) names_[found->second] = name;
  return found->second;
}

StateMap SimulatedServer::learn_state(const NaiveState& state) {
  StateMap learnt;
  for (const auto& [name, id] : state)
    learnt[key(name)] = learn(room_.place_of(id));
  return learnt;
}

void SimulatedServer::join(Place join, const NaiveState& before) {
  current_ = learn_state(before);
  append(join, current_);
}

void SimulatedServer::receive(Place place) {
  append(place, resolve(room_.at(place).prev));
}

void SimulatedServer::receive_with_state(Place place, const NaiveState& before) {
  append(place, learn_state(before));
}

// As the specification's checks on receipt have it.
void SimulatedServer::append(Place place, StateMap before) {
  const Event& event = *room_.at(place).event;
  GraphEvent& node = nodes_.at(learn(place)).graph;
  const bool is_create = event.is_state("m.room.create", "");
  node.rejected = !is_create && !allowed(event, before);
  const bool soft_failed = !is_create && !allowed(event, current_);
  timeline_[place] = std::move(before);
  if (node.rejected || soft_failed) return;
  for (Place prev : room_.at(place).prev)
    extremities_.erase(prev);
  extremities_.insert(place);
  current_ = resolve(extremities_);
}

StateMap SimulatedServer::after(Place place) const {
  StateMap state = timeline_.at(place);
  const GraphEvent& event = nodes_.at(numbers_of_.at(place)).graph;
  if (event.event->is_state() && !event.rejected) state[event.key] = event.nid;
  return state;
}

StateMap SimulatedServer::resolve(const Places& events) const {
  if (events.size() == 1) return after(*events.begin());
  std::vector<StateMapPtr> states;
  for (Place place : events)
    states.push_back(std::make_shared<const StateMap>(after(place)));
  if (states.empty()) return {};
  auto number_of = [this](const char* type) {
    const auto found = keys_.find({type, ""});
    return found == keys_.end() ? StateKeyNid{} : found->second;
  };
  Resolution resolution(room_.version(), states, number_of("m.room.power_levels"));
  if (!resolution.plan(graph_).empty()) throw std::logic_error("the server does not know what it was told");
  std::vector<EventNid> agreed;
  for (const StateKey& name : resolution.keys_asked(*this))
    if (const auto known = keys_.find(name); known != keys_.end())
      if (const EventNid nid = resolution.agreed_on(known->second); nid != EventNid{}) agreed.push_back(nid);
  return resolution.resolve(graph_, *this, agreed);
}

NaiveState SimulatedServer::describe(const StateMap& state) const {
  NaiveState out;
  for (const auto& [number, nid] : state)
    out[names_.at(number)] = nodes_.at(nid).graph.event->id().str();
  return out;
}

const GraphEvent* SimulatedServer::find(EventNid nid) const {
  const auto found = nodes_.find(nid);
  return found == nodes_.end() ? nullptr : &found->second.graph;
}

}  // namespace causeway::test
