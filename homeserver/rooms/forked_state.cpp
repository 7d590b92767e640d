#include "homeserver/rooms/forked_state.hpp"

#include <spdlog/spdlog.h>

#include <set>

#include "homeserver/rooms/state_resolution.hpp"
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

class LoadedGraph final : public EventGraph {
 public:
  explicit LoadedGraph(std::vector<StoredEventPtr> events) : events_(std::move(events)) {
    for (const auto& stored : events_) {
      if (!stored || !stored->key) continue;
      GraphEvent node;
      node.nid = stored->nid;
      node.key = *stored->key;
      node.event = stored->event;
      node.auth = stored->auth;
      node.rejected = stored->has(db::EventFlags::rejected);
      nodes_.emplace(stored->nid, std::move(node));
    }
  }
  const GraphEvent* find(EventNid nid) const override {
    auto found = nodes_.find(nid);
    return found == nodes_.end() ? nullptr : &found->second;
  }

 private:
  std::vector<StoredEventPtr> events_;
  std::unordered_map<EventNid, GraphEvent> nodes_;
};

// The keys on which the states differ, with all that hold them.
std::vector<EventNid> conflicted(const std::vector<StateMapPtr>& states) {
  std::set<EventNid> events;
  for (const auto& state : states)
    for (const auto& other : states)
      if (state != other)
        for (const auto& [key, event] : difference(*state, *other))
          if (event != EventNid{}) events.insert(event);
  return {events.begin(), events.end()};
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

Task<StateRef> ForkedState::before(std::vector<StoredEventPtr> prev_events) {
  const bool at_tip = std::ranges::all_of(head_.extremities, [&](const Extremity& extremity) {
    return std::ranges::any_of(prev_events, [&](const auto& prev) { return prev->nid == extremity.nid; });
  });
  if (at_tip && prev_events.size() == head_.extremities.size()) co_return head_.current();
  std::vector<StateRef> refs;
  for (const auto& prev : prev_events)
    refs.push_back(prev->state_after());
  refs = distinct(std::move(refs));
  if (refs.empty()) co_return StateRef{};
  if (refs.size() == 1) co_return refs.front();
  if (auto known = head_.resolutions.find(refs); known != head_.resolutions.end()) co_return known->second;

  auto resolved = co_await resolve(refs);
  StateRef result;
  bool found = false;
  for (const StateRef& ref : refs) {
    auto state = co_await at(ref);
    found = *state == *resolved;
    result = ref;
    if (found) break;
  }
  if (!found) {
    auto parent = co_await at(refs.back());
    result = add_line(refs.back(), *parent, resolved);
  }
  if (head_.resolutions.size() >= max_remembered_resolutions) head_.resolutions.clear();
  head_.resolutions[refs] = result;
  co_return result;
}

Task<StateRef> ForkedState::from_snapshot(StateMap snapshot) {
  auto current = co_await at(head_.current());
  auto state = std::make_shared<const StateMap>(std::move(snapshot));
  if (*current == *state) co_return head_.current();
  co_return add_line(head_.current(), *current, std::move(state));
}

StateRef ForkedState::add_line(std::optional<StateRef> parent, const StateMap& parent_state, StateMapPtr state) {
  NewLine line;
  line.line = head_.next_line++;
  line.parent = parent;
  unit_.lines.push_back(line);
  head_.dirty = true;
  const StateRef ref{line.line, 1};
  for (const auto& [key, event] : difference(parent_state, *state)) {
    StateChange change;
    change.line = ref.line;
    change.from_version = ref.version;
    change.key = key;
    change.event = event;
    unit_.state.push_back(change);
  }
  head_.line_ends[ref.line] = ref.version;
  fresh_[ref] = std::move(state);
  return ref;
}

StateRef ForkedState::after(StateRef before, StateKeyNid key, EventNid event) {
  StateRef ref;
  auto end = head_.line_ends.find(before.line);
  if (end != head_.line_ends.end() && end->second == before.version) {
    ref = {before.line, before.version + 1};
  } else {
    NewLine line;
    line.line = head_.next_line++;
    line.parent = before;
    unit_.lines.push_back(line);
    ref = {line.line, 1};
  }
  head_.dirty = true;
  head_.line_ends[ref.line] = ref.version;
  StateChange change;
  change.line = ref.line;
  change.from_version = ref.version;
  change.key = key;
  change.event = event;
  unit_.state.push_back(change);
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

Task<StateMapPtr> ForkedState::resolve(std::vector<StateRef> refs) {
  std::vector<StateMapPtr> states;
  for (const StateRef& ref : refs) {
    auto state = co_await at(ref);
    states.push_back(std::move(state));
  }
  auto events = co_await graph_of(states);
  auto work = [version = head_.version, states, events = std::move(events)]() mutable {
    const LoadedGraph graph(std::move(events));
    return std::make_shared<const StateMap>(resolve_state(*version, states, graph));
  };
  co_return co_await services_.cpu.run(std::move(work));
}

Task<std::vector<StoredEventPtr>> ForkedState::graph_of(std::vector<StateMapPtr> states) {
  std::set<EventNid> needed;
  for (const auto& state : states)
    for (const auto& [key, event] : *state)
      needed.insert(event);
  std::vector<StoredEventPtr> own;  // not committed, so the store does not know them
  for (auto it = needed.begin(); it != needed.end();) {
    if (!head_.is_uncommitted(*it)) {
      ++it;
      continue;
    }
    own.push_back(head_.cached(*it));
    it = needed.erase(it);
  }
  for (const auto& event : own)
    for (EventNid auth : event->auth)
      if (!head_.is_uncommitted(auth)) needed.insert(auth);
  std::vector<StoredEventPtr> chain;
  bool whole = true;
  try {
    std::vector<EventNid> all(needed.begin(), needed.end());
    chain = co_await services_.events.auth_chain(std::move(all));
  } catch (const std::length_error&) {
    whole = false;
  }
  if (!whole) {
    // The part that all states share is left out: what differs is what is resolved.
    spdlog::warn("room {}: its auth chain is too long; resolving by what differs alone", head_.id.str());
    auto differing = conflicted(states);
    std::erase_if(differing, [&](EventNid nid) { return head_.is_uncommitted(nid); });
    chain = co_await services_.events.auth_chain(std::move(differing));
  }
  chain.insert(chain.end(), own.begin(), own.end());
  co_return chain;
}

Task<> ForkedState::resolve_extremities(std::size_t event_index) {
  std::vector<StateRef> refs;
  for (const auto& extremity : head_.extremities)
    refs.push_back(extremity.after);
  refs = distinct(std::move(refs));
  CAUSEWAY_ASSERT(!refs.empty());
  if (refs.size() == 1 && refs.front() == head_.current()) co_return;
  auto known = head_.resolutions.find(refs);
  if (known != head_.resolutions.end() && known->second == head_.current()) co_return;
  StateMapPtr resolved;
  if (refs.size() == 1)
    resolved = co_await at(refs.front());
  else
    resolved = co_await resolve(refs);
  co_await replace_current(std::move(resolved), event_index);
  if (head_.resolutions.size() >= max_remembered_resolutions) head_.resolutions.clear();
  head_.resolutions[refs] = head_.current();
}

Task<> ForkedState::replace_current(StateMapPtr state, std::size_t event_index) {
  auto current = head_.state();
  const Changes changes = difference(*current, *state);
  if (changes.empty()) co_return;
  std::vector<EventNid> nids;
  for (const auto& [key, event] : changes)
    nids.push_back(event);
  auto events = co_await events_of(std::move(nids));
  head_.dirty = true;
  ++head_.state_version;
  for (std::size_t i = 0; i < changes.size(); ++i)
    co_await services_.builder.change_current_state(head_, unit_, changes[i].first, events[i], event_index);
}

}  // namespace causeway
