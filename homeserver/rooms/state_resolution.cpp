#include "homeserver/rooms/state_resolution.hpp"

#include "homeserver/rooms/auth_rules.hpp"
#include "homeserver/rooms/state_conflict.hpp"
#include "homeserver/rooms/state_ordering.hpp"

namespace causeway {

namespace resolution {
namespace {

struct Name {
  std::string_view type;
  std::string_view state_key;
  friend bool operator==(const Name&, const Name&) = default;
};
struct NameHash {
  std::size_t operator()(const Name& name) const {
    return std::hash<std::string_view>{}(name.type) * 31 + std::hash<std::string_view>{}(name.state_key);
  }
};

// The state that resolution builds, by the names that the authorisation rules ask for. Names live in the graph's
// events.
class PartialState : public AuthState {
 public:
  PartialState(const EventGraph& graph, const GraphEvent* create) : graph_(graph), create_(create) {}

  void set(const GraphEvent& event) { events_[name_of(*event.event)] = &event; }
  const GraphEvent* get(std::string_view type, std::string_view state_key) const {
    const auto found = events_.find({type, state_key});
    return found == events_.end() ? nullptr : found->second;
  }

  // The iterative auth checks algorithm.
  void apply(const EventList& events) {
    for (const GraphEvent* event : events) {
      if (!event->event->is_state()) continue;  // cited among auth_events where it does not belong
      judged_ = event;
      if (!check_auth(*event->event, *this)) set(*event);
    }
    judged_ = nullptr;
  }

  // What the state has, else what the judged event cites. From room version 12 on nothing cites the create event.
  const Event* find(std::string_view type, std::string_view state_key) const override {
    if (const GraphEvent* event = get(type, state_key)) return event->event.get();
    for (EventNid nid : judged_->auth) {
      const GraphEvent* auth = graph_.find(nid);
      if (auth && !auth->rejected && auth->event->is_state(type, state_key)) return auth->event.get();
    }
    return create_ && create_->event->is_state(type, state_key) ? create_->event.get() : nullptr;
  }

  void add_to(StateMap& state) const {
    for (const auto& [name, event] : events_)
      state.emplace(event->key, event->nid);
  }

 private:
  static Name name_of(const Event& event) { return {event.type(), *event.state_key()}; }

  const EventGraph& graph_;
  const GraphEvent* create_;
  const GraphEvent* judged_ = nullptr;
  std::unordered_map<Name, const GraphEvent*, NameHash> events_;
};

bool is_create(const GraphEvent* event) {
  return event && event->event->is_state("m.room.create", "") && !event->rejected;
}

// The create event of a room whose version does not let events cite it.
const GraphEvent* implied_create(const RoomVersion& version, const Conflict& conflict, const EventGraph& graph) {
  if (!version.room_id_is_create_hash) return nullptr;
  for (const auto& [key, nid] : conflict.unconflicted)
    if (const GraphEvent* event = graph.find(nid); is_create(event)) return event;
  for (EventNid nid : conflict.events)
    if (const GraphEvent* event = graph.find(nid); is_create(event)) return event;
  return nullptr;
}

EventList without(const EventSet& events, const EventList& taken, const EventGraph& graph) {
  EventSet rest = events;
  for (const GraphEvent* event : taken)
    rest.erase(event->nid);
  EventList out;
  for (EventNid nid : rest)
    out.push_back(graph.find(nid));
  return out;
}

// spec: rooms/v2#algorithm, rooms/v12#algorithm
StateMap resolve(const RoomVersion& version, Conflict conflict, const EventGraph& graph) {
  const EventSet full = full_conflicted_set(version, conflict, graph);
  const GraphEvent* create = implied_create(version, conflict, graph);
  const EventList power_events = order_power_events(full, graph, create ? create->event.get() : nullptr);  // step 1

  PartialState partial(graph, create);
  if (version.state_resolution == StateResolution::v2)
    for (const auto& [key, nid] : conflict.unconflicted)
      if (const GraphEvent* event = graph.find(nid)) partial.set(*event);
  partial.apply(power_events);  // step 2

  EventList others = without(full, power_events, graph);  // step 3
  sort_by_mainline(others, graph, partial.get("m.room.power_levels", ""));
  partial.apply(others);  // step 4

  StateMap resolved = std::move(conflict.unconflicted);  // step 5: what all agree on stays
  partial.add_to(resolved);
  return resolved;
}

}  // namespace
}  // namespace resolution

StateMap resolve_state(const RoomVersion& version, std::span<const StateMapPtr> states, const EventGraph& graph) {
  if (states.empty()) return {};
  resolution::Conflict conflict = resolution::find_conflict(states);
  if (conflict.events.empty()) return std::move(conflict.unconflicted);
  return resolution::resolve(version, std::move(conflict), graph);
}

}  // namespace causeway
