#include "homeserver/rooms/resolution/state_ordering.hpp"

#include <limits>
#include <queue>
#include <tuple>

#include "homeserver/rooms/auth/auth_rules.hpp"

namespace causeway::resolution {

namespace {

using Index = AuthGraph::Index;

// Removes a power of somebody: what must be settled first.
bool is_power_event(const Event& event) {
  if (!event.is_state()) return false;
  if (event.is("m.room.power_levels") || event.is("m.room.join_rules")) return true;
  const auto membership = event.membership();
  return (membership == "leave" || membership == "ban") && *event.state_key() != event.sender().str();
}

const Event* cited(const GraphEvent& event, const EventGraph& events, std::string_view type) {
  for (EventNid nid : event.auth) {
    const GraphEvent* auth = events.find(nid);
    if (auth && auth->event->is_state(type, "")) return auth->event.get();
  }
  return nullptr;
}

// The power of an event's sender by its own auth_events.
std::int64_t sender_power(const GraphEvent& event, const EventGraph& events, const Event* create) {
  const Event* cited_create = cited(event, events, "m.room.create");
  return PowerLevels(cited(event, events, "m.room.power_levels"), cited_create ? cited_create : create)
      .user(event.event->sender());
}

// What both orders end with: the least comes first.
std::pair<Timestamp, std::string_view> age_of(const GraphEvent& event) {
  return {event.event->origin_server_ts(), event.event->id().str()};
}

// An event that is ready to be taken, with what it is compared by.
struct Candidate {
  std::int64_t power;
  const GraphEvent* event;

  // For a heap whose top is the least: the event that comes first.
  friend bool operator<(const Candidate& a, const Candidate& b) {
    return std::tuple(a.power, age_of(*b.event)) < std::tuple(b.power, age_of(*a.event));
  }
};

struct PowerNode {
  const GraphEvent* event = nullptr;
  std::size_t waiting_for = 0;  // auth events not yet taken
  std::vector<EventNid> cited_by;
};
using PowerNodes = std::unordered_map<EventNid, PowerNode>;

// The power events of the full conflicted set, and what is in their auth chains and in the set.
//
// NOTSPEC: the specification means whole auth chains. Other servers step from one event of the set to the next and
// never through an event outside it, so that neither what lies beyond one is picked nor is its order kept. To differ
// from them is to split rooms. (From room version 12 on it is the same: what is between two events of the set is in
// it.)
PowerNodes pick_power_events(const EventSet& full, const EventGraph& events) {
  PowerNodes nodes;
  EventList open;
  auto add = [&](const GraphEvent* event) {
    PowerNode& node = nodes[event->nid];
    if (node.event) return;
    node.event = event;
    open.push_back(event);
  };
  for (EventNid nid : full)
    if (const GraphEvent* event = events.find(nid); event && is_power_event(*event->event)) add(event);
  while (!open.empty()) {
    const GraphEvent* event = open.back();
    open.pop_back();
    for (EventNid nid : event->auth) {
      const GraphEvent* auth = full.contains(nid) ? events.find(nid) : nullptr;
      if (!auth) continue;
      add(auth);
      nodes[nid].cited_by.push_back(event->nid);
      ++nodes[event->nid].waiting_for;
    }
  }
  return nodes;
}

// Where an event's own power_levels event is among what it cites. `unknown`: not all that it cites is known.
struct Levels {
  std::optional<Index> at;
  std::vector<EventNid> unknown;
};
Levels levels_cited(Index event, const AuthGraph& graph, StateKeyNid levels_key) {
  Levels levels;
  for (Index cited : graph.auth_events(event)) {
    if (!graph.is_known(cited)) levels.unknown.push_back(graph.nid(cited));
    if (!levels.at && !graph.is_absent(cited) && graph.key(cited) == levels_key) levels.at = cited;
  }
  return levels;
}

constexpr std::size_t off_mainline = std::numeric_limits<std::size_t>::max();

// Where power_levels events stand: those of the mainline, and those whose own chain has been followed to it.
class Mainline {
 public:
  Mainline(const AuthGraph& graph, StateKeyNid levels_key, const GraphEvent* power_levels)
      : graph_(graph), levels_key_(levels_key) {
    std::optional<Index> event = power_levels ? graph.find(power_levels->nid) : std::nullopt;
    for (; event; event = levels_of(*event))
      positions_.emplace(*event, positions_.size());
  }

  // Of any event: that of the first power_levels event in its chain that is on the mainline.
  std::size_t position_of(EventNid nid) {
    std::vector<Index> passed;
    std::size_t position = off_mainline;
    const auto event = graph_.find(nid);
    for (auto levels = event ? levels_of(*event) : std::nullopt; levels; levels = levels_of(*levels)) {
      const auto [found, is_new] = positions_.emplace(*levels, off_mainline);
      position = found->second;
      if (!is_new) break;
      passed.push_back(*levels);
    }
    for (Index levels : passed)
      positions_[levels] = position;
    return position;
  }

 private:
  std::optional<Index> levels_of(Index event) const { return levels_cited(event, graph_, levels_key_).at; }

  const AuthGraph& graph_;
  StateKeyNid levels_key_;
  boost::unordered_flat_map<Index, std::size_t> positions_;
};

}  // namespace

EventList order_power_events(const EventSet& full, const EventGraph& events, const Event* create) {
  PowerNodes nodes = pick_power_events(full, events);
  std::priority_queue<Candidate> ready;
  auto offer = [&](const GraphEvent* event) { ready.push({sender_power(*event, events, create), event}); };
  for (const auto& [nid, node] : nodes)
    if (node.waiting_for == 0) offer(node.event);
  EventList ordered;
  while (!ready.empty()) {
    ordered.push_back(ready.top().event);
    ready.pop();
    for (EventNid citing : nodes[ordered.back()->nid].cited_by)
      if (PowerNode& node = nodes[citing]; --node.waiting_for == 0) offer(node.event);
  }
  return ordered;
}

void sort_by_mainline(EventList& events, const GraphEvent* power_levels, const AuthGraph& graph,
                      StateKeyNid levels_key) {
  Mainline mainline(graph, levels_key, power_levels);
  std::vector<std::pair<std::size_t, const GraphEvent*>> placed;
  for (const GraphEvent* event : events)
    placed.emplace_back(mainline.position_of(event->nid), event);
  std::ranges::sort(placed, [](const auto& a, const auto& b) {
    return std::tuple(b.first, age_of(*a.second)) < std::tuple(a.first, age_of(*b.second));
  });
  for (std::size_t i = 0; i < events.size(); ++i)
    events[i] = placed[i].second;
}

std::vector<EventNid> unknown_on_mainlines(const std::vector<EventNid>& from, const AuthGraph& graph,
                                           StateKeyNid levels_key) {
  std::vector<EventNid> unknown;
  boost::unordered_flat_set<Index> passed;
  for (EventNid nid : from) {
    auto event = graph.find(nid);
    if (!event || !graph.is_known(*event)) {
      unknown.push_back(nid);
      continue;
    }
    while (event && passed.insert(*event).second) {
      const Levels levels = levels_cited(*event, graph, levels_key);
      unknown.insert(unknown.end(), levels.unknown.begin(), levels.unknown.end());
      event = levels.at;
    }
  }
  return unknown;
}

}  // namespace causeway::resolution
