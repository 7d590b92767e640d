#include "homeserver/rooms/resolution/state_resolution_v1.hpp"

#include <map>
#include <tuple>

#include "homeserver/rooms/auth/auth_rules.hpp"
#include "schema/crypto/crypto.hpp"

namespace causeway::resolution {

namespace {

using Candidates = std::vector<const GraphEvent*>;

// What the states hold for each key they differ on: one event, or several that are in conflict. A key that only some
// states have is in no conflict.
struct Union {
  std::vector<const GraphEvent*> single;
  std::map<StateKeyNid, Candidates> conflicts;
};

Union unite(const Conflict& conflict, const EventGraph& graph) {
  std::map<StateKeyNid, Candidates> holders;
  for (EventNid nid : conflict.events)
    if (const GraphEvent* event = graph.find(nid)) holders[event->key].push_back(event);
  Union all;
  for (auto& [key, candidates] : holders) {
    if (candidates.size() == 1)
      all.single.push_back(candidates.front());
    else
      all.conflicts.emplace(key, std::move(candidates));
  }
  return all;
}

// R of the specification: what has been resolved so far, by the names that the authorisation rules ask for. Names live
// in the graph's events.
class Resolved final : public AuthState {
 public:
  Resolved(std::span<const EventNid> agreed, const EventGraph& graph) {
    for (EventNid nid : agreed)
      if (const GraphEvent* event = graph.find(nid)) set(*event->event);
  }
  void set(const Event& event) { events_[{event.type(), *event.state_key()}] = &event; }
  const Event* find(std::string_view type, std::string_view state_key) const override {
    const auto found = events_.find({type, state_key});
    return found == events_.end() ? nullptr : found->second;
  }

 private:
  std::map<std::pair<std::string_view, std::string_view>, const Event*> events_;
};

// R with one key held by a candidate.
class WithCandidate final : public AuthState {
 public:
  WithCandidate(const AuthState& resolved, const Event& candidate) : resolved_(resolved), candidate_(candidate) {}
  const Event* find(std::string_view type, std::string_view state_key) const override {
    return candidate_.is_state(type, state_key) ? &candidate_ : resolved_.find(type, state_key);
  }

 private:
  const AuthState& resolved_;
  const Event& candidate_;
};

// Ascending depth, then descending sha1(event_id).
void sort_oldest_first(Candidates& candidates) {
  std::vector<std::tuple<std::int64_t, crypto::Sha1, const GraphEvent*>> keyed;
  for (const GraphEvent* event : candidates)
    keyed.emplace_back(event->event->depth(), crypto::sha1(event->event->id().str()), event);
  std::ranges::sort(keyed, [](const auto& a, const auto& b) {
    return std::tie(std::get<0>(a), std::get<1>(b)) < std::tie(std::get<0>(b), std::get<1>(a));
  });
  std::ranges::transform(keyed, candidates.begin(), [](const auto& entry) { return std::get<2>(entry); });
}

// Events that others are judged by: each must be allowed by the one before it; the first that is not ends the list.
const GraphEvent* last_of_chain(Candidates candidates, const AuthState& resolved) {
  sort_oldest_first(candidates);
  const GraphEvent* last = candidates.front();
  for (const GraphEvent* event : std::span(candidates).subspan(1)) {
    if (check_auth(*event->event, WithCandidate(resolved, *last->event))) break;
    last = event;
  }
  return last;
}

// All other events: the newest that is allowed.
// NOTSPEC: the oldest where none is; the specification's text leaves the key empty then, its implementations don't.
const GraphEvent* newest_allowed(Candidates candidates, const AuthState& resolved) {
  sort_oldest_first(candidates);
  for (auto event = candidates.rbegin(); event != candidates.rend(); ++event)
    if (!check_auth(*(*event)->event, resolved)) return *event;
  return candidates.front();
}

constexpr std::string_view types_in_order[] = {"m.room.power_levels", "m.room.join_rules", "m.room.member"};

}  // namespace

StateMap resolve_v1(const Conflict& conflict, const EventGraph& events, std::span<const EventNid> agreed) {
  StateMap state = conflict.unconflicted();
  Union all = unite(conflict, events);
  Resolved resolved(agreed, events);
  for (const GraphEvent* event : all.single) {
    resolved.set(*event->event);
    state[event->key] = event->nid;
  }
  for (std::string_view type : types_in_order) {
    Candidates chosen;
    for (const auto& [key, candidates] : all.conflicts)
      if (candidates.front()->event->is(type)) chosen.push_back(last_of_chain(candidates, resolved));
    // Only now, so that the keys of one type don't depend on the order they are taken in.
    for (const GraphEvent* event : chosen) {
      resolved.set(*event->event);
      state[event->key] = event->nid;
      all.conflicts.erase(event->key);
    }
  }
  for (const auto& [key, candidates] : all.conflicts)
    state[key] = newest_allowed(candidates, resolved)->nid;
  return state;
}

}  // namespace causeway::resolution
