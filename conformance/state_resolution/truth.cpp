#include "conformance/state_resolution/truth.hpp"

namespace causeway::test {

namespace {

class NamedState : public AuthState {
 public:
  NamedState(const NaiveGraph& graph, const NaiveState& state) : graph_(graph), state_(state) {}
  const Event* find(std::string_view type, std::string_view state_key) const override {
    const auto found = state_.find({std::string(type), std::string(state_key)});
    return found == state_.end() ? nullptr : graph_.at(found->second).event.get();
  }

 private:
  const NaiveGraph& graph_;
  const NaiveState& state_;
};

EventIds prev_events_of(const Event& event) {
  EventIds ids;
  for (const EventId& prev : event.prev_events())
    ids.insert(prev.str());
  return ids;
}

}  // namespace

void Truth::add(EventPtr event) {
  NaiveEvent& added = graph_[event->id().str()];
  added.event = event;
  for (const EventId& cited : event->auth_events())
    added.auth.push_back(cited.str());
  const bool is_create = event->is_state("m.room.create", "");
  added.rejected = !is_create && !allows(*event, before(event->id().str()));
}

const NaiveState& Truth::before(const std::string& id) {
  return state_of(prev_events_of(*event(id)));
}

const NaiveState& Truth::state_of(const EventIds& extremities) {
  const auto known = states_.find(extremities);
  if (known != states_.end()) return known->second;
  std::vector<NaiveState> states;
  for (const auto& id : extremities)
    states.push_back(after(id));
  if (states.empty()) return states_[extremities];
  if (states.size() == 1) return states_[extremities] = std::move(states.front());
  return states_[extremities] = resolve_naively(version_, states, graph_);
}

bool Truth::allows(const Event& event, const NaiveState& state) const {
  return !check_auth(event, NamedState(graph_, state));
}

NaiveState Truth::after(const std::string& id) {
  NaiveState state = before(id);
  const Event& added = *event(id);
  if (added.is_state() && !is_rejected(id)) state[{added.type(), *added.state_key()}] = id;
  return state;
}

}  // namespace causeway::test
