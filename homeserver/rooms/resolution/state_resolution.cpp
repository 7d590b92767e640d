#include "homeserver/rooms/resolution/state_resolution.hpp"

#include <set>
#include <unordered_map>

#include "homeserver/rooms/resolution/state_ordering.hpp"
#include "homeserver/rooms/resolution/state_resolution_v1.hpp"

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

// The create event of a room whose version does not let events cite it. In dispute only where a state lacks it.
const GraphEvent* implied_create(const RoomVersion& version, std::span<const EventNid> agreed, const EventSet& full,
                                 const EventGraph& events) {
  if (!version.room_id_is_create_hash) return nullptr;
  auto create = [&events](EventNid nid) -> const GraphEvent* {
    const GraphEvent* event = events.find(nid);
    return event && event->event->is_state("m.room.create", "") && !event->rejected ? event : nullptr;
  };
  for (EventNid nid : agreed)
    if (const GraphEvent* event = create(nid)) return event;
  for (EventNid nid : full)
    if (const GraphEvent* event = create(nid)) return event;
  return nullptr;
}

EventList without(const EventSet& events, const EventList& taken, const EventGraph& graph) {
  EventSet rest = events;
  for (const GraphEvent* event : taken)
    rest.erase(event->nid);
  EventList out;
  for (EventNid nid : rest)
    if (const GraphEvent* event = graph.find(nid)) out.push_back(event);
  return out;
}

}  // namespace
}  // namespace resolution

Resolution::Resolution(const RoomVersion& version, std::span<const StateMapPtr> states, StateKeyNid power_levels)
    : version_(version), power_levels_(power_levels), conflict_(resolution::find_conflict(states)) {}

std::vector<EventNid> Resolution::plan(const AuthGraph& graph) {
  if (conflict_.keys.empty()) return {};
  if (version_.state_resolution == StateResolution::v1) {
    full_ = conflict_.events;  // auth chains play no part
    return {};
  }
  auto full = resolution::full_conflicted_set(version_, conflict_, graph);
  steps_ = full.steps;
  if (!full.unknown.empty()) return std::move(full.unknown);
  full_ = std::move(full.events);
  std::vector<EventNid> from(full_.begin(), full_.end());
  const EventNid agreed_levels = starts_empty() ? EventNid{} : agreed_on(power_levels_);
  if (agreed_levels != EventNid{}) from.push_back(agreed_levels);
  return resolution::unknown_on_mainlines(from, graph, power_levels_);
}

std::vector<StateKey> Resolution::keys_asked(const EventGraph& events) const {
  std::set<StateKey> asked;
  if (version_.room_id_is_create_hash) asked.emplace("m.room.create", "");
  if (starts_empty()) return {asked.begin(), asked.end()};
  asked.emplace("m.room.power_levels", "");
  for (EventNid nid : full_) {
    const GraphEvent* judged = events.find(nid);
    if (!judged || !judged->event->is_state()) continue;
    const Event& event = *judged->event;
    for (StateKey& key : auth_event_keys(version_, event.type(), event.state_key(), event.sender(), event.content()))
      asked.insert(std::move(key));
  }
  return {asked.begin(), asked.end()};
}

// spec: rooms/v2#algorithm, rooms/v12#algorithm
StateMap Resolution::resolve(const AuthGraph& graph, const EventGraph& events, std::span<const EventNid> agreed) const {
  if (version_.state_resolution == StateResolution::v1) return resolution::resolve_v1(conflict_, events, agreed);
  StateMap resolved = conflict_.unconflicted();
  if (conflict_.keys.empty()) return resolved;
  const GraphEvent* create = resolution::implied_create(version_, agreed, full_, events);
  const auto power_events =
      resolution::order_power_events(full_, events, create ? create->event.get() : nullptr);  // step 1

  resolution::PartialState partial(events, create);
  if (!starts_empty())
    for (EventNid nid : agreed)
      if (const GraphEvent* event = events.find(nid)) partial.set(*event);
  partial.apply(power_events);  // step 2

  auto others = resolution::without(full_, power_events, events);  // step 3
  resolution::sort_by_mainline(others, partial.get("m.room.power_levels", ""), graph, power_levels_);
  partial.apply(others);  // step 4

  partial.add_to(resolved);  // step 5: what all agree on stays
  return resolved;
}

}  // namespace causeway
