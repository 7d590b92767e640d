#include "homeserver/rooms/state_conflict.hpp"

#include <algorithm>

#include "schema/matrix/assert.hpp"

namespace causeway::resolution {

namespace {

using Index = AuthGraph::Index;

void note_unknown(FullConflictedSet& full, EventNid event) {
  full.unknown.push_back(event);
}

// The auth difference: which events are in the full auth chain of some states but not of all.
//
// Every event has a greater number than what it cites. So when events are taken from the greatest number down, all who
// reach an event have been taken before it, and which states reach it is final. When no event is left that only some
// states reach, all that is behind is in every chain.
class ChainComparison {
 public:
  ChainComparison(const Conflict& conflict, const AuthGraph& graph, FullConflictedSet& full)
      : conflict_(conflict), graph_(graph), full_(full), reached_by_(graph.size()) {
    CAUSEWAY_ASSERT(conflict.by_state.size() <= max_states);
    all_ = conflict.by_state.size() == max_states ? ~States{} : (States{1} << conflict.by_state.size()) - 1;
  }

  void run() {
    start();
    std::ranges::make_heap(open_);
    while (differing_ > 0) {
      std::ranges::pop_heap(open_);
      const Index event = open_.back().second;
      open_.pop_back();
      take(event);
    }
  }

 private:
  using States = std::uint64_t;  // one bit for each

  void start() {
    for (const auto& [key, event] : *conflict_.any_state)
      if (!conflict_.keys.contains(key)) start_from(event, all_);
    for (std::size_t i = 0; i < conflict_.by_state.size(); ++i)
      for (EventNid event : conflict_.by_state[i])
        start_from(event, States{1} << i);
  }
  // An event of these states: what it cites is in their chains.
  void start_from(EventNid nid, States states) {
    const auto event = graph_.find(nid);
    if (!event || !graph_.is_known(*event)) return note_unknown(full_, nid);
    for (Index cited : graph_.auth_events(*event))
      if (reach(cited, states)) open_.emplace_back(graph_.nid(cited), cited);
  }

  void take(Index event) {
    const States states = reached_by_[event];
    const bool differs = states != all_;
    if (differs) --differing_;
    if (!graph_.is_known(event)) return note_unknown(full_, graph_.nid(event));
    if (differs && !graph_.is_absent(event)) full_.events.insert(graph_.nid(event));
    for (Index cited : graph_.auth_events(event)) {
      if (!reach(cited, states)) continue;
      open_.emplace_back(graph_.nid(cited), cited);
      std::ranges::push_heap(open_);
    }
  }

  // True when nothing had reached it before.
  bool reach(Index event, States states) {
    ++full_.steps;
    States& reached = reached_by_[event];
    const bool is_new = reached == 0;
    const bool differed = !is_new && reached != all_;
    reached |= states;
    const bool differs = reached != all_;
    if (differs && !differed) ++differing_;
    if (!differs && differed) --differing_;
    return is_new;
  }

  const Conflict& conflict_;
  const AuthGraph& graph_;
  FullConflictedSet& full_;
  States all_ = 0;
  std::vector<States> reached_by_;
  std::vector<std::pair<EventNid, Index>> open_;  // a heap: reached, and not yet taken
  std::size_t differing_ = 0;                     // of those, how many only some states reach
};

// The conflicted state subgraph: every event on a path along auth_events from one conflicted event to another. Nothing
// older than the oldest conflicted event can be on one. spec: rooms/v12#definitions
void add_conflicted_subgraph(FullConflictedSet& full, const Conflict& conflict, const AuthGraph& graph) {
  const EventNid oldest = *std::ranges::min_element(conflict.events);
  boost::unordered_flat_set<Index> reached;
  std::vector<Index> open;
  auto reach = [&](Index event) {
    ++full.steps;
    if (graph.nid(event) >= oldest && reached.insert(event).second) open.push_back(event);
  };
  for (EventNid nid : conflict.events)
    if (const auto event = graph.find(nid)) reach(*event);
  while (!open.empty()) {
    const Index event = open.back();
    open.pop_back();
    if (!graph.is_known(event)) {
      note_unknown(full, graph.nid(event));
      continue;
    }
    for (Index cited : graph.auth_events(event))
      reach(cited);
  }

  std::vector<Index> oldest_first(reached.begin(), reached.end());
  std::ranges::sort(oldest_first, {}, [&graph](Index event) { return graph.nid(event); });
  boost::unordered_flat_set<Index> leading;  // conflicted, or to a conflicted one
  for (Index event : oldest_first) {
    const auto cited = graph.auth_events(event);
    if (!conflict.events.contains(graph.nid(event)) &&
        std::ranges::none_of(cited, [&](Index auth) { return leading.contains(auth); }))
      continue;
    leading.insert(event);
    if (!graph.is_absent(event)) full.events.insert(graph.nid(event));
  }
}

}  // namespace

EventNid Conflict::agreed_on(StateKeyNid key) const {
  if (keys.contains(key)) return {};
  const auto held = any_state->find(key);
  return held == any_state->end() ? EventNid{} : held->second;
}

StateMap Conflict::unconflicted() const {
  StateMap agreed = *any_state;
  for (StateKeyNid key : keys)
    agreed.erase(key);
  return agreed;
}

Conflict find_conflict(std::span<const StateMapPtr> states) {
  Conflict conflict;
  conflict.any_state = states.front();
  const auto others = states.subspan(1);
  std::vector<std::size_t> shared(others.size());  // keys of the first state that another has too
  for (const auto& [key, event] : *states.front()) {
    bool agreed = true;
    for (std::size_t i = 0; i < others.size(); ++i) {
      const auto found = others[i]->find(key);
      const bool has = found != others[i]->end();
      shared[i] += has;
      agreed = agreed && has && found->second == event;
    }
    if (!agreed) conflict.keys.insert(key);
  }
  for (std::size_t i = 0; i < others.size(); ++i) {
    if (shared[i] == others[i]->size()) continue;
    for (const auto& [key, event] : *others[i])
      if (!states.front()->contains(key)) conflict.keys.insert(key);
  }
  for (const StateMapPtr& state : states) {
    auto& part = conflict.by_state.emplace_back();
    for (StateKeyNid key : conflict.keys)
      if (const auto held = state->find(key); held != state->end()) part.push_back(held->second);
    conflict.events.insert(part.begin(), part.end());
  }
  return conflict;
}

FullConflictedSet full_conflicted_set(const RoomVersion& version, const Conflict& conflict, const AuthGraph& graph) {
  FullConflictedSet full;
  ChainComparison(conflict, graph, full).run();
  if (version.state_resolution == StateResolution::v2_1) add_conflicted_subgraph(full, conflict, graph);
  for (EventNid event : conflict.events)
    if (const auto at = graph.find(event); at && !graph.is_absent(*at)) full.events.insert(event);
  return full;
}

}  // namespace causeway::resolution
