#include "homeserver/test/support/resolution_room.hpp"

namespace causeway::test {

namespace {

// The state of an integer map by names; slow and plain.
class StateByName : public AuthState {
 public:
  StateByName(const EventGraph& graph, const StateMap& state) : graph_(graph), state_(state) {}
  const Event* find(std::string_view type, std::string_view state_key) const override {
    for (const auto& [key, nid] : state_)
      if (graph_.find(nid)->event->is_state(type, state_key)) return graph_.find(nid)->event.get();
    return nullptr;
  }

 private:
  const EventGraph& graph_;
  const StateMap& state_;
};

// The first join names the create event alone; nothing else cares what comes before.
EventPlace place_in(const RoomVersion& version, const StateMap& before) {
  return {.room_id = room_id_of(version), .prev_events = {before.size() == 1 ? "$create" : "$prev"}};
}

}  // namespace

std::int64_t ResolutionRoom::fresh_number() {
  std::int64_t number = 0;
  while (number == 0 || !taken_.insert(number).second)
    number = static_cast<std::int64_t>(numbers_());
  return number;
}

StateKeyNid ResolutionRoom::key(const std::string& type, const std::string& state_key) {
  const auto found = keys_.find({type, state_key});
  if (found != keys_.end()) return found->second;
  return keys_[{type, state_key}] = StateKeyNid{fresh_number()};
}

EventNid ResolutionRoom::insert(EventPtr event, std::vector<EventNid> auth) {
  const EventNid nid{fresh_number()};
  std::int64_t order = to_int(nid);
  for (EventNid cited : auth)
    if (const auto found = nodes_.find(cited); found != nodes_.end()) order = std::max(order, found->second.order + 1);
  Node& node = nodes_[nid];
  node.auth = std::move(auth);
  node.order = order;
  const StateKeyNid key_nid = event->is_state() ? key(event->type(), *event->state_key()) : StateKeyNid{};
  node.graph = {nid, key_nid, std::move(event), node.auth, false};
  tell(graph_, nid);
  return nid;
}

std::vector<EventNid> ResolutionRoom::select_auth_events(const EventText& text, const StateMap& before) const {
  std::vector<EventNid> auth;
  for (const StateKey& name : auth_event_keys(version_, text.type, text.state_key, UserId::trusted(text.sender),
                                              json::parse_object(text.content).value())) {
    const auto known = keys_.find(name);
    const auto held = known == keys_.end() ? before.end() : before.find(known->second);
    if (held != before.end()) auth.push_back(held->second);
  }
  return auth;
}

EventNid ResolutionRoom::add(const std::string& name, const EventText& text, Timestamp ts, const StateMap& before) {
  EventPlace place = place_in(version_, before);
  place.id = "$" + name;
  place.ts = place.depth = ts;
  return insert(make_event(version_, text, place), select_auth_events(text, before));
}

EventNid ResolutionRoom::add_create(const std::string& content) {
  return insert(make_create(version_, content), {});
}

EventNid ResolutionRoom::add_alias(EventNid of, std::vector<EventNid> auth) {
  return insert(find(of)->event, std::move(auth));
}

bool ResolutionRoom::allows(const EventText& text, const StateMap& before) const {
  const EventPtr event = make_event(version_, text, place_in(version_, before));
  return !check_auth(*event, StateByName(*this, before));
}

StateMap ResolutionRoom::with(StateMap before, EventNid event) const {
  const GraphEvent* added = find(event);
  if (added->event->is_state()) before[added->key] = event;
  return before;
}

Resolution ResolutionRoom::resolution_of(const std::vector<StateMap>& states) const {
  auto number_of = [this](const char* type) {
    const auto found = keys_.find({type, ""});
    return found == keys_.end() ? StateKeyNid{} : found->second;
  };
  std::vector<StateMapPtr> shared;
  for (const StateMap& state : states)
    shared.push_back(std::make_shared<const StateMap>(state));
  return Resolution(version_, shared, number_of("m.room.power_levels"));
}

void ResolutionRoom::tell(AuthGraph& graph, EventNid nid) const {
  const GraphEvent* event = find(nid);
  if (event)
    graph.add(nid, nodes_.at(nid).order, event->key, event->auth);
  else
    graph.add_absent(nid);
}

StateMap ResolutionRoom::resolve(const std::vector<StateMap>& states, AuthGraph graph) const {
  Resolution resolution = resolution_of(states);
  for (auto unknown = resolution.plan(graph); !unknown.empty(); unknown = resolution.plan(graph))
    for (EventNid nid : unknown)
      tell(graph, nid);
  std::vector<EventNid> agreed;
  for (const StateKey& name : resolution.keys_asked(*this))
    if (const auto key = keys_.find(name); key != keys_.end())
      if (const EventNid nid = resolution.agreed_on(key->second); nid != EventNid{}) agreed.push_back(nid);
  return resolution.resolve(graph, *this, agreed);
}

const GraphEvent* ResolutionRoom::find(EventNid nid) const {
  const auto found = nodes_.find(nid);
  return found == nodes_.end() ? nullptr : &found->second.graph;
}

std::map<StateKey, std::string> ResolutionRoom::describe(const StateMap& state) const {
  std::map<StateKey, std::string> out;
  for (const auto& [key_nid, nid] : state) {
    const Event& event = *find(nid)->event;
    out[{event.type(), *event.state_key()}] = event.id().str();
  }
  return out;
}

std::string ResolutionRoom::holder(const StateMap& state, const std::string& type, const std::string& state_key) const {
  const auto described = describe(state);
  const auto found = described.find({type, state_key});
  return found == described.end() ? "" : found->second;
}

}  // namespace causeway::test
