#include "homeserver/rooms/receiving/outlier_judgement.hpp"

#include <functional>
#include <set>

#include "homeserver/rooms/auth/auth_state.hpp"

namespace causeway {

namespace {

// From room version 12 on no event cites its room's create event: the room's ID names it.
std::optional<EventId> implied_create(const Event& event) {
  if (!event.version().room_id_is_create_hash || event.is_state("m.room.create", "")) return std::nullopt;
  return EventId::trusted("$" + event.room_id().str().substr(1));
}

MatrixError bad_answer(const std::string& what) {
  return make_error(ErrorCode::unknown, 502, "The resident server's answer can't be used: " + what);
}

MatrixError forbidden(const std::string& why) {
  return make_error(ErrorCode::forbidden, "The room's state does not allow the join: " + why);
}

// Each after those that it names, among those that are given.
std::vector<VerifiedEvent> sort_after(const std::vector<VerifiedEvent>& events,
                                      const std::function<std::vector<EventId>(const Event&)>& named_by) {
  std::unordered_map<EventId, std::size_t> index;
  for (std::size_t i = 0; i < events.size(); ++i)
    index.try_emplace(events[i].event()->id(), i);
  std::vector<std::size_t> waits_for(events.size(), 0);
  std::vector<std::vector<std::size_t>> dependents(events.size());
  std::set<std::pair<std::int64_t, std::size_t>> ready;
  for (const auto& [id, i] : index) {
    for (const auto& named : named_by(*events[i].event())) {
      auto found = index.find(named);
      if (found == index.end()) continue;
      ++waits_for[i];
      dependents[found->second].push_back(i);
    }
    if (waits_for[i] == 0) ready.emplace(events[i].event()->depth(), i);
  }
  std::vector<VerifiedEvent> sorted;
  sorted.reserve(index.size());
  while (!ready.empty()) {
    const std::size_t next = ready.begin()->second;
    ready.erase(ready.begin());
    sorted.push_back(events[next]);
    for (std::size_t later : dependents[next])
      if (--waits_for[later] == 0) ready.emplace(events[later].event()->depth(), later);
  }
  return sorted;
}

KnownEvents judge_alone(std::vector<VerifiedEvent> events) {
  KnownEvents known;
  for (const auto& event : in_citing_order(events)) {
    auto stored = std::make_shared<StoredEvent>();
    stored->event = event.event();
    if (judge_outlier(*stored, known)) known.emplace(event.event()->id(), std::move(stored));
  }
  return known;
}

}  // namespace

std::vector<EventId> cited_by(const Event& event) {
  std::vector<EventId> cited = event.auth_events();
  if (auto create = implied_create(event)) cited.push_back(std::move(*create));
  return cited;
}

std::vector<VerifiedEvent> in_citing_order(const std::vector<VerifiedEvent>& events) {
  return sort_after(events, cited_by);
}

std::vector<VerifiedEvent> oldest_first(const std::vector<VerifiedEvent>& events) {
  return sort_after(events, [](const Event& event) { return event.prev_events(); });
}

bool judge_outlier(StoredEvent& stored, const KnownEvents& known) {
  const Event& event = *stored.event;
  AuthEvents state;
  std::vector<AuthEventEntry> entries;
  for (const auto& id : event.auth_events()) {
    auto found = known.find(id);
    if (found == known.end()) return false;
    state.add(found->second->event);
    AuthEventEntry entry;
    entry.event = found->second->event;
    entry.rejected = found->second->has(db::EventFlags::rejected);
    entries.push_back(std::move(entry));
    if (stored.key) stored.cite(*found->second);
  }
  if (auto create = implied_create(event)) {
    auto found = known.find(*create);
    if (found == known.end()) return false;
    if (!found->second->has(db::EventFlags::rejected)) state.add(found->second->event);
  }
  if (check_auth_events(event, entries) || check_auth(event, state))
    stored.flags = stored.flags | db::EventFlags::rejected;
  return true;
}

Result<> check_join_answer(const RemoteJoin& joined) {
  const Event& join = *joined.join_event.event();
  std::vector<VerifiedEvent> all = joined.auth_chain;
  all.insert(all.end(), joined.state.begin(), joined.state.end());
  const KnownEvents known = judge_alone(std::move(all));
  const auto accepted = [&known](const EventId& id) {
    const auto found = known.find(id);
    return found != known.end() && !found->second->has(db::EventFlags::rejected) ? found->second->event : nullptr;
  };
  AuthEvents named, state;
  std::vector<AuthEventEntry> entries;
  for (const auto& id : cited_by(join)) {
    auto event = accepted(id);
    if (!event) return bad_answer("an event that authorises the join is missing or not valid.");
    named.add(event);
    AuthEventEntry entry;
    entry.event = std::move(event);
    if (entry.event->id() != implied_create(join)) entries.push_back(std::move(entry));
  }
  for (const auto& event : joined.state)
    if (auto held = accepted(event.event()->id())) state.add(held);
  if (!state.find("m.room.create", "")) return bad_answer("its m.room.create event is not valid.");
  if (auto refusal = check_auth_events(join, entries)) return forbidden(refusal->reason);
  if (auto refusal = check_auth(join, named)) return forbidden(refusal->reason);
  if (auto refusal = check_auth(join, state)) return forbidden(refusal->reason);
  return {};
}

}  // namespace causeway
