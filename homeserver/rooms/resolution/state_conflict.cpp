#include "homeserver/rooms/resolution/state_conflict.hpp"

#include <algorithm>
#include <limits>

#include "schema/matrix/assert.hpp"

namespace causeway::resolution {

namespace {

using Index = AuthGraph::Index;

void note_unknown(FullConflictedSet& full, EventNid event) {
  full.unknown.push_back(event);
}

// The auth difference: which events are in the full auth chain of some states but not of all.
//
// The graph's order is greater for an event than for what it cites. So when events are taken from the greatest down,
// all who reach an event have been taken before it, and which states reach it is final. When no event is left that only
// some states reach, all that is behind is in every chain. Of what the graph does not know yet there is a bound: it is
// less than that of whoever cites it.
class ChainComparison {
 public:
  ChainComparison(const Conflict& conflict, const AuthGraph& graph, FullConflictedSet& full)
      : conflict_(conflict), graph_(graph), full_(full), reached_(graph.size()) {
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
  struct Reached {
    States by = 0;
    bool taken = false;
  };

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
      if (reach(cited, states)) open_.emplace_back(place_of(cited, *event), cited);
  }
  // Where an event is taken that this one cites.
  std::int64_t place_of(Index cited, Index citing) const {
    return graph_.is_known(cited) ? graph_.order(cited) : graph_.order(citing) - 1;
  }

  void take(Index event) {
    reached_[event].taken = true;
    const States states = reached_[event].by;
    const bool differs = states != all_;
    if (differs) --differing_;
    if (!graph_.is_known(event)) return note_unknown(full_, graph_.nid(event));
    if (differs && !graph_.is_absent(event)) full_.events.insert(graph_.nid(event));
    for (Index cited : graph_.auth_events(event)) {
      if (!reach(cited, states)) continue;
      open_.emplace_back(place_of(cited, event), cited);
      std::ranges::push_heap(open_);
    }
  }

  // True when nothing had reached it before.
  bool reach(Index event, States states) {
    ++full_.steps;
    Reached& reached = reached_[event];
    if (reached.taken) return false;  // rows in which the order does not hold: what was told of it stands
    const bool is_new = reached.by == 0;
    const bool differed = !is_new && reached.by != all_;
    reached.by |= states;
    const bool differs = reached.by != all_;
    if (differs && !differed) ++differing_;
    if (!differs && differed) --differing_;
    return is_new;
  }

  const Conflict& conflict_;
  const AuthGraph& graph_;
  FullConflictedSet& full_;
  States all_ = 0;
  std::vector<Reached> reached_;
  std::vector<std::pair<std::int64_t, Index>> open_;  // a heap: reached, and not yet taken
  std::size_t differing_ = 0;                         // of those, how many only some states reach
};

// The conflicted state subgraph: every event on a path along auth_events from one conflicted event to another. Nothing
// of a lower order than all conflicted events can be on one. spec: rooms/v12#definitions
class ConflictedSubgraph {
 public:
  ConflictedSubgraph(const Conflict& conflict, const AuthGraph& graph, FullConflictedSet& full)
      : conflict_(conflict), graph_(graph), full_(full) {}

  // All conflicted events are known.
  void run() {
    for (EventNid nid : conflict_.events)
      lowest_ = std::min(lowest_, graph_.order(*graph_.find(nid)));
    for (EventNid nid : conflict_.events)
      reach(*graph_.find(nid));
    while (!open_.empty()) {
      const Index event = open_.back();
      open_.pop_back();
      for (Index cited : graph_.auth_events(event))
        if (graph_.order(event) > lowest_) reach(cited);
    }
    add_leading();
  }

 private:
  void reach(Index event) {
    ++full_.steps;
    if (graph_.is_known(event) && graph_.order(event) < lowest_) return;
    if (!reached_.insert(event).second) return;
    if (graph_.is_known(event))
      open_.push_back(event);
    else
      note_unknown(full_, graph_.nid(event));
  }

  // Of those reached, the conflicted ones and those from which one is reached.
  void add_leading() {
    std::vector<Index> lowest_first(reached_.begin(), reached_.end());
    std::ranges::sort(lowest_first, {}, [this](Index event) { return graph_.order(event); });
    boost::unordered_flat_set<Index> leading;
    for (Index event : lowest_first) {
      const auto cited = graph_.auth_events(event);
      if (!conflict_.events.contains(graph_.nid(event)) &&
          std::ranges::none_of(cited, [&](Index auth) { return leading.contains(auth); }))
        continue;
      leading.insert(event);
      if (!graph_.is_absent(event)) full_.events.insert(graph_.nid(event));
    }
  }

  const Conflict& conflict_;
  const AuthGraph& graph_;
  FullConflictedSet& full_;
  std::int64_t lowest_ = std::numeric_limits<std::int64_t>::max();
  boost::unordered_flat_set<Index> reached_;
  std::vector<Index> open_;
};

bool knows_conflicted_events(const Conflict& conflict, const AuthGraph& graph) {
  return std::ranges::all_of(conflict.events, [&graph](EventNid nid) {
    const auto event = graph.find(nid);
    return event && graph.is_known(*event);
  });
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
  if (version.state_resolution == StateResolution::v2_1 && knows_conflicted_events(conflict, graph))
    ConflictedSubgraph(conflict, graph, full).run();
  for (EventNid event : conflict.events)
    if (const auto at = graph.find(event); at && !graph.is_absent(*at)) full.events.insert(event);
  return full;
}

}  // namespace causeway::resolution
