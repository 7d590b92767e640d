#include "homeserver/rooms/head/forked_state.hpp"

#include "homeserver/rooms/members/membership.hpp"
#include "schema/log.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

constexpr std::size_t max_remembered_resolutions = 64;

using Changes = std::vector<std::pair<StateKeyNid, EventNid>>;

// What to set (0: remove) to get from one state to the other.
Changes difference(const StateMap& from, const StateMap& to) {
  Changes changes;
  for (const auto& [key, event] : to) {
    auto found = from.find(key);
    if (found == from.end() || found->second != event) changes.emplace_back(key, event);
  }
  for (const auto& [key, event] : from)
    if (!to.contains(key)) changes.emplace_back(key, EventNid{});
  std::ranges::sort(changes);
  return changes;
}

std::vector<StateRef> distinct(std::vector<StateRef> refs) {
  std::ranges::sort(refs);
  const auto repeated = std::ranges::unique(refs);
  refs.erase(repeated.begin(), repeated.end());
  return refs;
}

std::vector<StateRef> states_after(const std::vector<StoredEventPtr>& events) {
  std::vector<StateRef> refs;
  for (const auto& event : events)
    refs.push_back(event->state_after());
  return distinct(std::move(refs));
}

class LoadedEvents final : public EventGraph {
 public:
  void add(const std::vector<StoredEventPtr>& events) {
    for (const auto& stored : events) {
      if (!stored || !stored->key) continue;
      GraphEvent node;
      node.nid = stored->nid;
      node.key = *stored->key;
      node.event = stored->event;
      node.auth = stored->auth;
      node.rejected = stored->has(db::EventFlags::rejected);
      if (nodes_.emplace(stored->nid, std::move(node)).second) events_.push_back(stored);
    }
  }
  const GraphEvent* find(EventNid nid) const override {
    auto found = nodes_.find(nid);
    return found == nodes_.end() ? nullptr : &found->second;
  }
  // What the events cite that is not here.
  std::vector<EventNid> cited() const {
    EventSet nids;
    for (const auto& event : events_)
      for (EventNid nid : event->auth)
        if (!nodes_.contains(nid)) nids.insert(nid);
    return {nids.begin(), nids.end()};
  }

 private:
  std::vector<StoredEventPtr> events_;
  std::unordered_map<EventNid, GraphEvent> nodes_;
};

MatrixError out_of_bounds(const RoomHead& head, std::size_t graph_events, std::size_t judged_events) {
  log::warn("room {}: its state is not resolved: {} events of its auth graph, {} of them in dispute", head.id.str(),
            graph_events, judged_events);
  return make_error(ErrorCode::limit_exceeded, "Resolving the room's state is beyond this server's limits.");
}

}  // namespace

Task<StateMapPtr> ForkedState::at(StateRef ref) {
  if (auto made = fresh_.find(ref); made != fresh_.end()) co_return made->second;
  if (ref == head_.current()) co_return head_.state();
  auto derived = derived_.find(ref);
  if (derived == derived_.end()) co_return co_await services_.states.at(head_.nid, ref);
  const Derived change = derived->second;
  auto base = co_await at(change.base);
  auto state = std::make_shared<StateMap>(*base);
  (*state)[change.key] = change.event;
  fresh_[ref] = state;
  co_return state;
}

Task<Result<StateRef>> ForkedState::before(std::vector<StoredEventPtr> prev_events) {
  const bool at_tip = std::ranges::all_of(head_.extremities, [&](const Extremity& extremity) {
    return std::ranges::any_of(prev_events, [&](const auto& prev) { return prev->nid == extremity.nid; });
  });
  if (at_tip && prev_events.size() == head_.extremities.size()) co_return head_.current();
  auto refs = states_after(prev_events);
  if (refs.empty()) co_return StateRef{};
  if (refs.size() == 1) co_return refs.front();
  if (auto known = head_.resolutions.find(refs); known != head_.resolutions.end()) co_return known->second;

  auto states = co_await at(refs);
  auto resolved = co_await resolve(std::move(states));
  if (!resolved) co_return resolved.error();
  const StateRef result = co_await place(std::move(*resolved), refs);
  remember_resolution(std::move(refs), result);
  co_return result;
}

Task<Result<StateRef>> ForkedState::before(std::vector<StoredEventPtr> prev_events, std::vector<StateMapPtr> told) {
  auto refs = states_after(prev_events);
  auto states = co_await at(refs);
  for (auto& state : told)
    if (std::ranges::none_of(states, [&](const auto& other) { return *other == *state; }))
      states.push_back(std::move(state));
  if (states.size() == 1) co_return co_await place(std::move(states.front()), std::move(refs));
  auto resolved = co_await resolve(std::move(states));
  if (!resolved) co_return resolved.error();
  co_return co_await place(std::move(*resolved), std::move(refs));
}

// Where a state stands that often is one of these; else it begins a line.
Task<StateRef> ForkedState::place(StateMapPtr state, std::vector<StateRef> likely) {
  if (likely.empty()) likely.push_back(head_.current());
  for (const StateRef& ref : likely) {
    auto known = co_await at(ref);
    if (*known == *state) co_return ref;
  }
  auto parent = co_await at(likely.back());
  co_return add_line(likely.back(), *parent, std::move(state));
}

void ForkedState::remember_resolution(std::vector<StateRef> of, StateRef result) {
  if (head_.resolutions.size() >= max_remembered_resolutions) head_.resolutions.clear();
  head_.resolutions[std::move(of)] = result;
}

StateRef ForkedState::add_line(std::optional<StateRef> parent, const StateMap& parent_state, StateMapPtr state) {
  const StateRef ref = begin_line(parent);
  for (const auto& [key, event] : difference(parent_state, *state))
    write(ref, key, event);
  fresh_[ref] = std::move(state);
  return ref;
}

StateRef ForkedState::begin_line(std::optional<StateRef> parent) {
  NewLine line;
  line.line = head_.next_line++;
  line.parent = parent;
  unit_.lines.push_back(line);
  head_.line_ends[line.line] = 1;
  head_.dirty = true;
  return {line.line, 1};
}

void ForkedState::write(StateRef at, StateKeyNid key, EventNid event) {
  StateChange change;
  change.line = at.line;
  change.from_version = at.version;
  change.key = key;
  change.event = event;
  unit_.state.push_back(change);
  head_.line_ends[at.line] = at.version;
  head_.dirty = true;
}

StateRef ForkedState::after(StateRef before, StateKeyNid key, EventNid event) {
  const auto end = head_.line_ends.find(before.line);
  const bool at_end = end != head_.line_ends.end() && end->second == before.version;
  const StateRef ref = at_end ? StateRef{before.line, before.version + 1} : begin_line(before);
  write(ref, key, event);
  derived_[ref] = Derived{before, key, event};
  return ref;
}

Task<std::vector<StoredEventPtr>> ForkedState::holders(StateRef ref, std::vector<StateKeyNid> keys) {
  if (ref == head_.current()) co_return co_await services_.heads.holders(head_, std::move(keys));
  std::vector<EventNid> nids;
  if (fresh_.contains(ref) || derived_.contains(ref)) {
    auto state = co_await at(ref);
    for (StateKeyNid key : keys) {
      auto held = state->find(key);
      nids.push_back(held == state->end() ? EventNid{} : held->second);
    }
  } else {
    nids = co_await services_.states.lookup(head_.nid, ref, keys);
  }
  co_return co_await events_of(std::move(nids));
}

Task<std::vector<StoredEventPtr>> ForkedState::events_of(std::vector<EventNid> nids) {
  std::vector<StoredEventPtr> events(nids.size());
  std::vector<EventNid> missing;
  std::vector<std::size_t> missing_at;
  for (std::size_t i = 0; i < nids.size(); ++i) {
    if (nids[i] == EventNid{}) continue;
    events[i] = head_.cached(nids[i]);
    if (events[i]) continue;
    missing.push_back(nids[i]);
    missing_at.push_back(i);
  }
  if (missing.empty()) co_return events;
  auto fetched = co_await services_.events.by_nid(std::move(missing));
  for (std::size_t i = 0; i < fetched.size(); ++i)
    events[missing_at[i]] = fetched[i];
  co_return events;
}

Task<std::vector<StateMapPtr>> ForkedState::at(std::vector<StateRef> refs) {
  std::vector<StateMapPtr> states;
  for (const StateRef& ref : refs) {
    auto state = co_await at(ref);
    states.push_back(std::move(state));
  }
  co_return states;
}

Task<Result<StateMapPtr>> ForkedState::resolve(std::vector<StateMapPtr> states) {
  auto resolution = co_await find_conflict(std::move(states));
  auto graph = services_.graphs.of(head_.nid);
  auto planned = co_await plan(resolution, graph);
  if (!planned) co_return planned.error();

  auto events = std::make_shared<LoadedEvents>();
  std::vector<EventNid> wanted(resolution->events_to_judge().begin(), resolution->events_to_judge().end());
  auto judged = co_await events_of(std::move(wanted));
  events->add(judged);
  auto agreed = co_await agreed_on(*resolution, *events);
  wanted = events->cited();
  wanted.insert(wanted.end(), agreed.begin(), agreed.end());
  auto judged_by = co_await events_of(std::move(wanted));
  events->add(judged_by);
  auto work = [resolution, graph, events, agreed = std::move(agreed)] {
    return std::make_shared<const StateMap>(resolution->resolve(*graph, *events, agreed));
  };
  co_return co_await services_.cpu.run(std::move(work));
}

Task<ForkedState::ResolutionPtr> ForkedState::find_conflict(std::vector<StateMapPtr> states) {
  CAUSEWAY_ASSERT(states.size() <= resolution::max_states);
  StateKey levels_key("m.room.power_levels", "");
  const StateKeyNid levels = co_await services_.interner.state_key(std::move(levels_key));
  auto work = [version = head_.version, states = std::move(states), levels] {
    return std::make_shared<Resolution>(*version, states, levels);
  };
  co_return co_await services_.cpu.run(std::move(work));
}

Task<Result<>> ForkedState::plan(ResolutionPtr resolution, std::shared_ptr<AuthGraph> graph) {
  while (true) {
    auto work = [resolution, graph] { return resolution->plan(*graph); };
    auto unknown = co_await services_.cpu.run(std::move(work));
    const std::size_t judged = resolution->events_to_judge().size();
    if (graph->size() + unknown.size() > services_.bounds.graph_events || judged > services_.bounds.judged_events)
      co_return out_of_bounds(head_, graph->size() + unknown.size(), judged);
    if (unknown.empty()) co_return Result<>{};
    co_await learn(graph, std::move(unknown));
  }
}

Task<> ForkedState::learn(std::shared_ptr<AuthGraph> graph, std::vector<EventNid> unknown) {
  std::vector<EventNid> committed;
  for (EventNid nid : unknown) {
    if (!head_.is_uncommitted(nid)) {
      committed.push_back(nid);
      continue;
    }
    auto event = head_.cached(nid);  // the database does not know it
    graph->add(nid, event->auth_order(), event->key.value_or(StateKeyNid{}), event->auth);
  }
  if (!committed.empty()) co_await services_.graphs.load(std::move(graph), std::move(committed));
}

Task<std::vector<EventNid>> ForkedState::agreed_on(const Resolution& resolution, const EventGraph& events) {
  auto names = resolution.keys_asked(events);
  auto keys = co_await services_.interner.state_keys(std::move(names));
  std::vector<EventNid> agreed;
  for (StateKeyNid key : keys)
    if (const EventNid nid = resolution.agreed_on(key); nid != EventNid{}) agreed.push_back(nid);
  co_return agreed;
}

Task<Result<>> ForkedState::resolve_extremities(std::size_t event_index) {
  std::vector<StateRef> refs;
  for (const auto& extremity : head_.extremities)
    refs.push_back(extremity.after);
  refs = distinct(std::move(refs));
  CAUSEWAY_ASSERT(!refs.empty());
  if (refs.size() == 1 && refs.front() == head_.current()) co_return Result<>{};
  auto known = head_.resolutions.find(refs);
  if (known != head_.resolutions.end() && known->second == head_.current()) co_return Result<>{};
  StateMapPtr resolved;
  if (refs.size() == 1) {
    resolved = co_await at(refs.front());
  } else {
    auto states = co_await at(refs);
    auto found = co_await resolve(std::move(states));
    if (!found) co_return found.error();
    resolved = std::move(*found);
  }
  co_await replace_current(std::move(resolved), event_index);
  remember_resolution(std::move(refs), head_.current());
  co_return Result<>{};
}

Task<> ForkedState::replace_current(StateMapPtr state, std::size_t event_index) {
  auto current = head_.state();
  const Changes changes = difference(*current, *state);
  if (changes.empty()) co_return;
  std::vector<EventNid> nids_before, nids_after;
  for (const auto& [key, event] : changes) {
    nids_before.push_back(head_.holder(key));
    nids_after.push_back(event);
  }
  auto before = co_await events_of(std::move(nids_before));
  auto after = co_await events_of(std::move(nids_after));
  co_await number_servers(before, after);
  head_.dirty = true;
  ++head_.state_version;
  for (std::size_t i = 0; i < changes.size(); ++i) {
    RoomBuilder::Change change{changes[i].first, std::move(before[i]), std::move(after[i])};
    co_await services_.builder.change_current_state(head_, unit_, std::move(change), event_index);
  }
}

// Of the members who come or go, all at once: there may be thousands of servers, and the room's lane waits.
Task<> ForkedState::number_servers(std::vector<StoredEventPtr> before, std::vector<StoredEventPtr> after) {
  std::set<ServerName> names;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const auto& either = after[i] ? after[i] : before[i];
    if (!either || !either->event->is("m.room.member")) continue;
    const bool was_joined = membership_of(before[i]) == db::Membership::join;
    if (was_joined == (membership_of(after[i]) == db::Membership::join)) continue;
    if (auto user = UserId::parse(*either->event->state_key())) names.insert(user->server_name());
  }
  std::vector<ServerName> distinct_names(names.begin(), names.end());
  co_await services_.interner.servers(std::move(distinct_names));
}

}  // namespace causeway
