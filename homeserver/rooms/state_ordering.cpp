#include "homeserver/rooms/state_ordering.hpp"

#include <limits>
#include <queue>
#include <tuple>

#include "homeserver/rooms/auth_rules.hpp"

namespace causeway::resolution {

namespace {

// Removes a power of somebody: what must be settled first.
bool is_power_event(const Event& event) {
  if (!event.is_state()) return false;
  if (event.is("m.room.power_levels") || event.is("m.room.join_rules")) return true;
  const auto membership = event.membership();
  return (membership == "leave" || membership == "ban") && *event.state_key() != event.sender().str();
}

// The power of an event's sender by its own auth_events.
std::int64_t sender_power(const GraphEvent& event, const EventGraph& graph, const Event* create) {
  const GraphEvent* levels = auth_event(event, graph, "m.room.power_levels", "");
  const GraphEvent* cited_create = auth_event(event, graph, "m.room.create", "");
  const Event* of_room = cited_create ? cited_create->event.get() : create;
  return PowerLevels(levels ? levels->event.get() : nullptr, of_room).user(event.event->sender());
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

// The power events and everything in their auth chains, with who cites whom.
struct PowerGraph {
  struct Node {
    const GraphEvent* event = nullptr;
    std::size_t waiting_for = 0;  // auth events not yet taken
    std::vector<EventNid> cited_by;
  };
  std::unordered_map<EventNid, Node> nodes;
};

PowerGraph chains_of_power_events(const EventSet& full, const EventGraph& graph) {
  PowerGraph chains;
  EventList open;
  auto add = [&](const GraphEvent* event) {
    PowerGraph::Node& node = chains.nodes[event->nid];
    if (node.event) return;
    node.event = event;
    open.push_back(event);
  };
  for (EventNid nid : full)
    if (const GraphEvent* event = graph.find(nid); is_power_event(*event->event)) add(event);
  while (!open.empty()) {
    const GraphEvent* event = open.back();
    open.pop_back();
    for (EventNid nid : event->auth) {
      const GraphEvent* auth = graph.find(nid);
      if (!auth) continue;
      add(auth);
      chains.nodes[nid].cited_by.push_back(event->nid);
      ++chains.nodes[event->nid].waiting_for;
    }
  }
  return chains;
}

constexpr std::size_t off_mainline = std::numeric_limits<std::size_t>::max();

// Where power_levels events stand: those of the mainline, and those whose own chain has been followed to it.
class Mainline {
 public:
  Mainline(const EventGraph& graph, const GraphEvent* power_levels) : graph_(graph) {
    for (const GraphEvent* event = power_levels; event; event = levels_of(*event))
      if (!positions_.emplace(event->nid, positions_.size()).second) break;
  }

  // Of any event: that of the first power_levels event in its chain that is on the mainline.
  std::size_t position_of(const GraphEvent& event) {
    std::vector<EventNid> passed;
    std::size_t position = off_mainline;
    for (const GraphEvent* levels = levels_of(event); levels; levels = levels_of(*levels)) {
      const auto [found, is_new] = positions_.emplace(levels->nid, off_mainline);
      position = found->second;
      if (!is_new) break;
      passed.push_back(levels->nid);
    }
    for (EventNid nid : passed)
      positions_[nid] = position;
    return position;
  }

 private:
  const GraphEvent* levels_of(const GraphEvent& event) const {
    return auth_event(event, graph_, "m.room.power_levels", "");
  }

  const EventGraph& graph_;
  std::unordered_map<EventNid, std::size_t> positions_;
};

}  // namespace

const GraphEvent* auth_event(const GraphEvent& event, const EventGraph& graph, std::string_view type,
                             std::string_view state_key) {
  for (EventNid nid : event.auth) {
    const GraphEvent* auth = graph.find(nid);
    if (auth && auth->event->is_state(type, state_key)) return auth;
  }
  return nullptr;
}

// Kahn's algorithm over whole auth chains, so that a path between two events of the set through others counts. The
// others are taken as soon as they can be and leave no trace: the least ordering of the set itself comes out.
EventList order_power_events(const EventSet& full, const EventGraph& graph, const Event* create) {
  PowerGraph chains = chains_of_power_events(full, graph);
  std::priority_queue<Candidate> ready;
  EventList passing;
  EventList ordered;
  auto offer = [&](const GraphEvent* event) {
    if (full.contains(event->nid))
      ready.push({sender_power(*event, graph, create), event});
    else
      passing.push_back(event);
  };
  auto take = [&](const GraphEvent* event) {
    for (EventNid citing : chains.nodes[event->nid].cited_by)
      if (PowerGraph::Node& node = chains.nodes[citing]; --node.waiting_for == 0) offer(node.event);
  };
  for (const auto& [nid, node] : chains.nodes)
    if (node.waiting_for == 0) offer(node.event);
  while (!passing.empty() || !ready.empty()) {
    if (!passing.empty()) {
      const GraphEvent* event = passing.back();
      passing.pop_back();
      take(event);
      continue;
    }
    ordered.push_back(ready.top().event);
    ready.pop();
    take(ordered.back());
  }
  return ordered;
}

void sort_by_mainline(EventList& events, const EventGraph& graph, const GraphEvent* power_levels) {
  Mainline mainline(graph, power_levels);
  std::unordered_map<EventNid, std::size_t> positions;
  for (const GraphEvent* event : events)
    positions[event->nid] = mainline.position_of(*event);
  std::ranges::sort(events, [&](const GraphEvent* a, const GraphEvent* b) {
    return std::tuple(positions[b->nid], age_of(*a)) < std::tuple(positions[a->nid], age_of(*b));
  });
}

}  // namespace causeway::resolution
