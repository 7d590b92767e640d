// Events that others made: judged by the fourth to sixth check of the specification, then appended.
//
// spec: server-server-api#checks-performed-on-receipt-of-a-pdu
#include <prometheus/counter.h>

#include <deque>
#include <numeric>
#include <set>

#include "homeserver/rooms/auth/auth_state.hpp"
#include "homeserver/rooms/head/forked_state.hpp"
#include "homeserver/rooms/head/late_events.hpp"
#include "homeserver/rooms/room_service_impl.hpp"
#include "schema/events/signing.hpp"
#include "schema/log.hpp"

namespace causeway {

namespace {

constexpr int max_attempts = 5;
// Beyond this many branches a further one is kept, but new events don't name it.
constexpr std::size_t max_extremities = 64;
// So many events are looked at behind rejected and soft-failed ones.
constexpr std::size_t max_passed_over = 100;
constexpr std::string_view not_in_room = "This server is not in that room.";

ReceiveOutcome outcome(Received result, std::string reason = {}) {
  ReceiveOutcome made;
  made.result = result;
  made.reason = std::move(reason);
  return made;
}

// In rooms of versions 1 and 2 a server may give one ID to many events; the first to come has it.
bool is_same(const StoredEvent& known, const Event& event, const RoomHead& head) {
  if (known.room != head.nid) return false;
  return event.version().event_id != EventIdForm::chosen || reference_hash(*known.event) == reference_hash(event);
}

bool in_timeline(const StoredEvent& event, const RoomHead& head) {
  return event.room == head.nid && event.order.has_value();
}

// What is missing behind an event that is not shown is missing behind the next one that is.
bool is_behind_gap(const std::vector<EventId>& missing_prev, const std::vector<StoredEventPtr>& prev) {
  return !missing_prev.empty() || std::ranges::any_of(prev, [](const StoredEventPtr& event) {
    return event->has(db::EventFlags::behind_gap) && !event->is_shown();
  });
}

// What redacts an event, or waits to be redacted by it, is looked for among what is committed.
bool meets_redaction(const Event& event, const WriteUnit& unit,
                     const std::unordered_map<EventId, StoredEventPtr>& placed) {
  if (event.redacts() && placed.contains(*event.redacts())) return true;
  return std::ranges::any_of(unit.redactions, [&](const auto& record) { return record.target == event.id(); });
}

// Events that are committed or will be with this unit; nullptr where one is neither.
Task<std::vector<StoredEventPtr>> find_events(EventStore& store, const WriteUnit& unit, std::vector<EventId> ids) {
  auto events = co_await store.by_id(ids);
  for (const auto& added : unit.events) {
    const auto at = std::ranges::find(ids, added.stored->event->id());
    if (at != ids.end()) events[static_cast<std::size_t>(at - ids.begin())] = added.stored;
  }
  co_return events;
}

// What an event builds on: its prev_events, and where one of them is not to be built on, what is behind it. None of
// that is an extremity, although the event in between is none either.
Task<std::set<EventId>> built_on(EventStore& store, const WriteUnit& unit, const Event& event) {
  std::vector<EventId> next = event.prev_events();
  std::set<EventId> ids(next.begin(), next.end());
  while (!next.empty()) {
    const auto events = co_await find_events(store, unit, std::move(next));
    next.clear();
    for (const auto& stored : events) {
      if (!stored || !stored->has(db::EventFlags::rejected | db::EventFlags::soft_failed)) continue;
      for (const auto& id : stored->event->prev_events())
        if (ids.size() < max_passed_over && ids.insert(id).second) next.push_back(id);
    }
  }
  co_return ids;
}

}  // namespace

Task<std::vector<ReceiveOutcome>> RoomService::Impl::receive(ServerName origin, RoomId room_id,
                                                             std::vector<Inbound> events) {
  std::string refusal;
  co_await wait_for_join(room_id);
  auto room = co_await services.reader.room(room_id);
  if (!room) {
    refusal = not_in_room;
  } else {
    // spec: client-server-api#server-access-control-lists-acls-for-rooms
    const bool allowed = co_await services.reader.acl_allows(origin, room->nid);
    if (!allowed) refusal = "The room's server ACL shuts that server out.";
  }
  std::vector<ReceiveOutcome> outcomes;
  if (!refusal.empty()) {
    outcomes.assign(events.size(), outcome(Received::refused, refusal));
    co_return outcomes;
  }
  auto appended = co_await append_inbound(room_id, std::move(events));
  for (Appended& one : appended)
    outcomes.push_back(std::move(one.outcome));
  co_await merge_extremities(std::move(room_id));
  co_return outcomes;
}

// An event that comes while this server is joining is not lost: it waits for the join's end.
Task<bool> RoomService::Impl::wait_for_join(RoomId room) {
  auto slot = heads.find(room);
  if (!slot || slot->joins == 0) co_return false;
  while (slot->joins > 0)
    co_await slot->joined.wait();
  co_return true;
}

Task<RoomService::Impl::Appended> RoomService::Impl::append_inbound(Inbound inbound) {
  RoomId room = inbound.event->room_id();
  std::vector<Inbound> one;
  one.push_back(std::move(inbound));
  auto appended = co_await append_inbound(std::move(room), std::move(one));
  co_return std::move(appended.front());
}

Task<RoomService::Impl::Appended> RoomService::Impl::append_if_accepted(Inbound inbound) {
  inbound.only_if_accepted = true;
  const EventId id = inbound.event->id();
  auto appended = co_await append_inbound(std::move(inbound));
  if (appended.outcome.result != Received::duplicate) co_return appended;
  appended.stored = co_await services.events.by_id(id);
  const bool stands = appended.stored && !appended.stored->has(db::EventFlags::rejected | db::EventFlags::soft_failed);
  appended.outcome =
      stands ? outcome(Received::accepted) : outcome(Received::rejected, "The event came before and was not accepted.");
  co_return appended;
}

Task<std::vector<RoomService::Impl::Appended>> RoomService::Impl::append_inbound(RoomId room,
                                                                                 std::vector<Inbound> batch) {
  std::vector<Appended> ended(batch.size());
  std::deque<std::size_t> open(batch.size());
  std::iota(open.begin(), open.end(), 0);
  std::size_t at_once = batch.size();
  for (int attempt = 1; !open.empty();) {
    auto lock = co_await heads.enter(room);
    // Nothing is wrong with the events then. A reply that refuses them would be the last that is heard of them.
    if (!lock) throw db::Unavailable(lock.error().message);
    if (attempt > max_attempts) throw db::Unavailable("The room is busy.");
    if (!lock->known() || !lock->head().in_room(services.self.name)) {
      for (const std::size_t index : open)
        ended[index].outcome = outcome(Received::refused, std::string(not_in_room));
      break;
    }
    const bool settled = co_await heads.settle(*lock);
    if (!settled) {
      ++attempt;
      continue;
    }
    std::vector<const Inbound*> next;
    for (std::size_t i = 0; i < std::min(at_once, open.size()); ++i)
      next.push_back(&batch[open[i]]);
    LateEvents late(services.database, services.events, lock->head());
    auto run = co_await append_run(lock->head(), std::move(next));
    if (!run.unit->events.empty()) {
      co_await late.place(*run.unit);
      auto written = co_await heads.commit(std::move(*lock), run.unit);
      if (written.failure() == WriteFailure::stale_head) {
        ++attempt;
        continue;
      }
      if (written.failure() == WriteFailure::unavailable) throw db::Unavailable(written.error().message);
      if (!written && run.appended.size() > 1) {
        at_once = 1;  // so that the one that can't be stored does not take the others along
        continue;
      }
      if (!written) run.appended.front().outcome = outcome(Received::refused, written.error().message);
    }
    for (Appended& one : run.appended) {
      count_received(one.outcome.result);
      ended[open.front()] = std::move(one);
      open.pop_front();
    }
  }
  co_return ended;
}

// As many of the events, in their order, as one unit can hold: not one that needs another's commit first.
Task<RoomService::Impl::Run> RoomService::Impl::append_run(RoomHead& head, std::vector<const Inbound*> events) {
  std::vector<EventPtr> arriving;
  for (const Inbound* inbound : events)
    arriving.push_back(inbound->event);
  const auto known = co_await named_by(arriving);
  const auto redactions = co_await waiting_redactions(arriving);
  Run run;
  run.unit = std::make_shared<WriteUnit>();
  const ForkedState::Services forked_services = services_of_forks();
  ForkedState forked(forked_services, head, *run.unit);
  KnownEvents placed;
  for (const Inbound* inbound : events) {
    if (meets_redaction(*inbound->event, *run.unit, placed)) break;
    auto around = look_around(head, *inbound, known, placed);
    if (inbound->event->is_state("m.room.create", ""))
      around.outcome = outcome(Received::refused, "A room is not created by sending its first event.");
    // On a branch its state before may be one that this unit is just making.
    if (!around.outcome && !around.at_tip && !run.unit->state.empty()) break;
    Appended one;
    if (around.outcome)
      one.outcome = std::move(*around.outcome);
    else
      one = co_await judge_and_append(head, forked, *run.unit, *inbound, std::move(around), redactions);
    if (one.stored) placed.emplace(one.stored->event->id(), one.stored);
    run.appended.push_back(std::move(one));
  }
  co_return run;
}

void RoomService::Impl::count_received(Received result) {
  if (result == Received::accepted) accepted_events.Increment();
  if (result == Received::soft_failed) soft_failed_events.Increment();
  if (result == Received::rejected) rejected_events.Increment();
}

// What is here of these events and of all that they name; one round trip at most.
Task<KnownEvents> RoomService::Impl::named_by(std::vector<EventPtr> events) {
  std::vector<EventId> ids;
  for (const auto& event : events) {
    ids.push_back(event->id());
    ids.insert(ids.end(), event->prev_events().begin(), event->prev_events().end());
    ids.insert(ids.end(), event->auth_events().begin(), event->auth_events().end());
  }
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  auto found = co_await services.events.by_id(ids);
  KnownEvents known;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (found[i]) known.emplace(ids[i], std::move(found[i]));
  co_return known;
}

RoomService::Impl::Surroundings RoomService::Impl::look_around(const RoomHead& head, const Inbound& inbound,
                                                               const KnownEvents& known, const KnownEvents& placed) {
  const Event& event = *inbound.event;
  const auto find = [](const KnownEvents& events, const EventId& id) {
    auto found = events.find(id);
    return found == events.end() ? nullptr : found->second;
  };
  Surroundings around;
  around.existing = find(known, event.id());
  if (around.existing && !is_same(*around.existing, event, head)) {
    around.outcome = outcome(Received::refused, "There is another event with this ID.");
    return around;
  }
  if (placed.contains(event.id()) || (around.existing && around.existing->order)) {
    around.outcome = outcome(Received::duplicate);
    return around;
  }
  ReceiveOutcome missing = outcome(Received::missing);
  for (const EventId& id : event.prev_events()) {
    auto prev = find(placed, id);
    if (!prev) prev = find(known, id);
    if (prev && (placed.contains(id) || in_timeline(*prev, head)))
      around.prev.push_back(std::move(prev));
    else
      missing.missing_prev.push_back(id);
  }
  for (const EventId& id : event.auth_events()) {
    auto auth = find(placed, id);
    if (!auth) auth = find(known, id);
    if (auth && !auth->has(db::EventFlags::unjudged))
      around.auth.push_back(std::move(auth));
    else
      missing.missing_auth.push_back(id);
  }
  around.missing_prev = missing.missing_prev;
  const bool untold = std::ranges::any_of(missing.missing_prev, [&](const auto& id) { return !inbound.tells_of(id); });
  if (untold || !missing.missing_auth.empty()) around.outcome = std::move(missing);
  around.at_tip = around.missing_prev.empty() && around.prev.size() == head.extremities.size() &&
                  std::ranges::all_of(head.extremities, [&](const Extremity& extremity) {
                    return std::ranges::any_of(around.prev, [&](const auto& p) { return p->nid == extremity.nid; });
                  });
  return around;
}

Task<NewEventPtr> RoomService::Impl::stored_form(RoomHead& head, const Inbound& inbound, const Surroundings& around) {
  auto stored = std::make_shared<StoredEvent>();
  stored->room = head.nid;
  stored->event = inbound.event;
  stored->sender = co_await services.interner.user(inbound.event->sender());
  if (inbound.local) stored->flags = stored->flags | db::EventFlags::local;
  if (is_merge_event(*inbound.event)) stored->flags = stored->flags | db::EventFlags::withheld;
  if (inbound.hash_mismatch) stored->flags = stored->flags | db::EventFlags::hash_mismatch;
  // What was known as an outlier keeps its number and gets its place now.
  if (around.existing) {
    stored->nid = around.existing->nid;
    if (around.existing->has(db::EventFlags::redacted)) {
      stored->event = around.existing->event;
      stored->flags = stored->flags | db::EventFlags::redacted;
    }
  } else {
    stored->nid = co_await services.interner.next_event();
  }
  if (!inbound.event->is_state()) co_return stored;
  StateKey key(inbound.event->type(), *inbound.event->state_key());
  stored->key = co_await services.interner.state_key(std::move(key));
  for (const auto& auth : around.auth)
    stored->cite(*auth);
  co_return stored;
}

Task<Result<StateRef>> RoomService::Impl::find_state_before(RoomHead& head, ForkedState& forked, const Inbound& inbound,
                                                            const Surroundings& around) {
  if (!builds_on_told(inbound, around)) co_return co_await forked.before(around.prev);
  auto told = co_await told_states(head, inbound, around);
  if (!told) co_return told.error();
  co_return co_await forked.before(around.prev, std::move(*told));
}

Task<RoomService::Impl::Appended> RoomService::Impl::judge_and_append(RoomHead& head, ForkedState& forked,
                                                                      WriteUnit& unit, const Inbound& inbound,
                                                                      Surroundings around,
                                                                      const WaitingRedactions& redactions) {
  Appended appended;
  auto before = co_await find_state_before(head, forked, inbound, around);
  if (!before) {
    const bool out_of_bounds = before.error().code == ErrorCode::limit_exceeded;
    if (out_of_bounds) unresolved_events.Increment();
    appended.outcome = outcome(out_of_bounds ? Received::refused : Received::missing, before.error().message);
    co_return appended;
  }
  auto stored = co_await stored_form(head, inbound, around);
  stored->before = *before;
  appended.stored = stored;
  appended.outcome = co_await judge(head, forked, *stored, around.auth);
  const Received result = appended.outcome.result;
  if (inbound.only_if_accepted && result != Received::accepted) co_return appended;
  const bool stands = result == Received::rejected && was_accepted(around);
  if (stands && builds_on_told(inbound, around)) {
    appended.stored = nullptr;
    appended.outcome = outcome(Received::missing, "The state told does not allow what this server has accepted.");
    co_return appended;
  }
  mark(*stored, around, result);
  if (!stored->has(db::EventFlags::rejected)) co_await apply_waiting_redactions(head, unit, stored, redactions);
  if (is_behind_gap(around.missing_prev, around.prev)) stored->flags = stored->flags | db::EventFlags::behind_gap;

  const bool at_tip = around.at_tip && result == Received::accepted;
  Result<> placed;
  if (at_tip)
    co_await builder.append(head, unit, stored);
  else
    placed = co_await append_beside(head, unit, forked, stored, result);
  if (!placed) {  // kept, but nothing is built on what can't be merged
    unresolved_events.Increment();
    stored->flags = stored->flags | db::EventFlags::soft_failed;
    appended.outcome = outcome(Received::soft_failed, placed.error().message);
  }
  for (auto& missing : around.missing_prev)
    unit.new_gaps.emplace_back(std::move(missing), stored->nid);
  unit.closed_gaps.push_back(stored->event->id());
  unit.unstaged.push_back(stored->event->id());
  const bool accepted = appended.outcome.result == Received::accepted;
  if (accepted && stored->event->is("m.room.redaction") && stored->event->redacts()) {
    auto levels = co_await levels_cited(head, around.auth);
    co_await redact_target(head, unit, stored, std::move(levels));
  }
  co_return appended;
}

bool RoomService::Impl::was_accepted(const Surroundings& around) {
  return around.existing && around.existing->counts();
}

// What was accepted outside the timeline is part of states, and others cite it: that stands. Where its place does not
// allow it, it is hidden like what is soft-failed, and has no effect from there.
void RoomService::Impl::mark(StoredEvent& stored, const Surroundings& around, Received result) {
  const bool rejected = result == Received::rejected;
  if (rejected && !was_accepted(around))
    stored.flags = stored.flags | db::EventFlags::rejected;
  else if (rejected || result == Received::soft_failed)
    stored.flags = stored.flags | db::EventFlags::soft_failed;
}

// Checks 4 to 6.
Task<ReceiveOutcome> RoomService::Impl::judge(RoomHead& head, ForkedState& forked, const StoredEvent& stored,
                                              const std::vector<StoredEventPtr>& auth, Against against) {
  const Event& event = *stored.event;
  AuthEvents named;
  std::vector<AuthEventEntry> entries;
  for (const auto& entry : auth) {
    named.add(entry->event);
    AuthEventEntry listed;
    listed.event = entry->event;
    listed.rejected = entry->has(db::EventFlags::rejected);
    entries.push_back(std::move(listed));
  }
  StateKey create_key("m.room.create", "");
  auto create = co_await heads.holder(head, std::move(create_key));
  if (head.version->room_id_is_create_hash && create) named.add(create->event);
  if (auto refusal = check_auth_events(event, entries)) co_return outcome(Received::rejected, refusal->reason);
  if (auto refusal = check_auth(event, named)) co_return outcome(Received::rejected, refusal->reason);

  auto before = co_await auth_state_at(forked, stored.before, event);
  if (auto refusal = check_auth(event, before)) co_return outcome(Received::rejected, refusal->reason);
  if (against == Against::state_before || stored.before == head.current()) co_return outcome(Received::accepted);
  auto current = co_await auth_state_at(forked, head.current(), event);
  if (auto refusal = check_auth(event, current)) co_return outcome(Received::soft_failed, refusal->reason);
  co_return outcome(Received::accepted);
}

std::vector<StateKey> RoomService::Impl::keys_that_judge(const Event& event) {
  auto keys = auth_event_keys(event.version(), event.type(), event.state_key(), event.sender(), event.content());
  if (event.version().room_id_is_create_hash) keys.emplace_back("m.room.create", "");
  return keys;
}

Task<AuthEvents> RoomService::Impl::auth_state_at(ForkedState& forked, StateRef at, const Event& event) {
  auto keys = keys_that_judge(event);
  auto nids = co_await services.interner.state_keys(std::move(keys));
  auto holders = co_await forked.holders(at, std::move(nids));
  AuthEvents state;
  for (const auto& holder : holders)
    if (holder) state.add(holder->event);
  co_return state;
}

// An event that is not simply the next one: on a branch, soft-failed or rejected.
Task<Result<>> RoomService::Impl::append_beside(RoomHead& head, WriteUnit& unit, ForkedState& forked,
                                                NewEventPtr stored, Received result) {
  head.dirty = true;
  const std::size_t index = unit.events.size();
  NewEvent added;
  added.stored = stored;
  unit.events.push_back(std::move(added));
  if (result == Received::rejected) co_return Result<>{};
  if (stored->key) {
    head.remember_uncommitted(stored);
    stored->after = forked.after(stored->before, *stored->key, stored->nid);
  }
  if (result == Received::soft_failed) co_return Result<>{};
  auto extremities_before = head.extremities;
  const auto below = co_await built_on(services.events, unit, *stored->event);
  std::erase_if(head.extremities, [&](const Extremity& old) { return below.contains(old.id); });
  if (head.extremities.size() >= max_extremities) co_return Result<>{};
  head.extremities.emplace_back(*stored);
  auto resolved = co_await forked.resolve_extremities(index);
  if (!resolved) head.extremities = std::move(extremities_before);
  co_return resolved;
}

}  // namespace causeway
