#include "homeserver/rooms/state_conflict.hpp"

namespace causeway::resolution {

namespace {

// The events reachable along auth_events from those put on it, each once. No recursion: a chain may be as long as a
// room is old.
class Walk {
 public:
  explicit Walk(const EventGraph& graph) : graph_(graph) {}

  // Where not to go: these events and what is behind them.
  void avoid(const EventSet& events) { avoided_ = &events; }

  // Puts the auth events of an event on the walk, not the event itself.
  void from_auth_events_of(EventNid nid) {
    if (const GraphEvent* event = graph_.find(nid))
      for (EventNid auth : event->auth)
        add(auth);
  }
  void add(EventNid nid) {
    if ((!avoided_ || !avoided_->contains(nid)) && graph_.find(nid) && seen_.insert(nid).second) open_.push_back(nid);
  }

  // The next event, nullptr at the end. Its auth events are put on the walk.
  const GraphEvent* next() {
    if (open_.empty()) return nullptr;
    const GraphEvent* event = graph_.find(open_.back());
    open_.pop_back();
    for (EventNid auth : event->auth)
      add(auth);
    return event;
  }
  const EventSet& finish() {
    while (next()) {
    }
    return seen_;
  }

 private:
  const EventGraph& graph_;
  const EventSet* avoided_ = nullptr;
  EventSet seen_;
  std::vector<EventNid> open_;
};

bool agreed_by_all(std::span<const StateMapPtr> states, StateKeyNid key, EventNid event) {
  return std::ranges::all_of(states, [=](const StateMapPtr& state) {
    const auto found = state->find(key);
    return found != state->end() && found->second == event;
  });
}

// What is in the auth chain of an unconflicted event is in the chain of every state.
EventSet chain_of_unconflicted(const Conflict& conflict, const EventGraph& graph) {
  Walk walk(graph);
  for (const auto& [key, event] : conflict.unconflicted)
    walk.from_auth_events_of(event);
  return walk.finish();
}

// The events in the full auth chain of some states but not of all.
void add_auth_difference(EventSet& out, const Conflict& conflict, const EventGraph& graph) {
  const EventSet common = chain_of_unconflicted(conflict, graph);
  std::unordered_map<EventNid, std::size_t> chains;  // that hold the event
  for (const auto& events : conflict.by_state) {
    Walk walk(graph);
    walk.avoid(common);
    for (EventNid event : events)
      walk.from_auth_events_of(event);
    for (EventNid event : walk.finish())
      ++chains[event];
  }
  for (const auto& [event, count] : chains)
    if (count < conflict.by_state.size()) out.insert(event);
}

// Every event on a path along auth_events from one conflicted event to another: what conflicted events reach and what
// reaches them, both. spec: rooms/v12#definitions
void add_conflicted_subgraph(EventSet& out, const Conflict& conflict, const EventGraph& graph) {
  Walk down(graph);
  for (EventNid event : conflict.events)
    down.add(event);
  std::unordered_map<EventNid, std::vector<EventNid>> cited_by;
  while (const GraphEvent* event = down.next())
    for (EventNid auth : event->auth)
      cited_by[auth].push_back(event->nid);

  std::vector<EventNid> open(conflict.events.begin(), conflict.events.end());
  EventSet on_path(conflict.events);
  while (!open.empty()) {
    const auto citing = cited_by.find(open.back());
    open.pop_back();
    if (citing == cited_by.end()) continue;
    for (EventNid event : citing->second)
      if (on_path.insert(event).second) open.push_back(event);
  }
  out.merge(on_path);
}

}  // namespace

Conflict find_conflict(std::span<const StateMapPtr> states) {
  Conflict conflict;
  conflict.by_state.resize(states.size());
  for (std::size_t i = 0; i < states.size(); ++i)
    for (const auto& [key, event] : *states[i]) {
      if (i == 0 && agreed_by_all(states.subspan(1), key, event)) conflict.unconflicted.emplace(key, event);
      if (conflict.unconflicted.contains(key)) continue;
      conflict.events.insert(event);
      conflict.by_state[i].push_back(event);
    }
  return conflict;
}

EventSet full_conflicted_set(const RoomVersion& version, const Conflict& conflict, const EventGraph& graph) {
  EventSet full = conflict.events;
  add_auth_difference(full, conflict, graph);
  if (version.state_resolution == StateResolution::v2_1) add_conflicted_subgraph(full, conflict, graph);
  std::erase_if(full, [&graph](EventNid event) { return !graph.find(event); });
  return full;
}

}  // namespace causeway::resolution
