#include "homeserver/rooms/receiving/inbound_events.hpp"

#include <prometheus/counter.h>

#include <deque>
#include <numeric>
#include <set>
#include <unordered_map>

#include "homeserver/rooms/head/late_events.hpp"

namespace causeway {

namespace {

constexpr int max_attempts = 5;
// Beyond this many branches a further one is kept, but new events don't name it.
constexpr std::size_t max_extremities = 64;
// So many events are looked at behind rejected and soft-failed ones.
constexpr std::size_t max_passed_over = 100;

prometheus::Counter& received_counter(Metrics& metrics, const char* result) {
  return metrics.counter("received_events_total", "Events from other servers, by what became of them.",
                         {{"result", result}});
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

InboundEvents::InboundEvents(Services services)
    : services_(services),
      accepted_(received_counter(services.metrics, "accepted")),
      soft_failed_(received_counter(services.metrics, "soft_failed")),
      rejected_(received_counter(services.metrics, "rejected")),
      unresolved_(received_counter(services.metrics, "unresolved")) {}

Task<InboundEvents::Appended> InboundEvents::append(Inbound inbound) {
  RoomId room = inbound.event->room_id();
  std::vector<Inbound> one;
  one.push_back(std::move(inbound));
  auto appended = co_await append(std::move(room), std::move(one));
  co_return std::move(appended.front());
}

Task<InboundEvents::Appended> InboundEvents::append_if_accepted(Inbound inbound) {
  inbound.only_if_accepted = true;
  const EventId id = inbound.event->id();
  auto appended = co_await append(std::move(inbound));
  if (appended.outcome.result != Received::duplicate) co_return appended;
  appended.stored = co_await services_.events.by_id(id);
  const bool stands = appended.stored && !appended.stored->has(db::EventFlags::rejected | db::EventFlags::soft_failed);
  appended.outcome = stands ? ReceiveOutcome::of(Received::accepted)
                            : ReceiveOutcome::of(Received::rejected, "The event came before and was not accepted.");
  co_return appended;
}

Task<std::vector<InboundEvents::Appended>> InboundEvents::append(RoomId room, std::vector<Inbound> batch) {
  std::vector<Appended> ended(batch.size());
  std::deque<std::size_t> open(batch.size());
  std::iota(open.begin(), open.end(), 0);
  std::size_t at_once = batch.size();
  for (int attempt = 1; !open.empty();) {
    auto lock = co_await services_.heads.enter(room);
    // Nothing is wrong with the events then. A reply that refuses them would be the last that is heard of them.
    if (!lock) throw db::Unavailable(lock.error().message);
    if (attempt > max_attempts) throw db::Unavailable("The room is busy.");
    if (!lock->known() || !lock->head().in_room(services_.self.name)) {
      for (const std::size_t index : open)
        ended[index].outcome = ReceiveOutcome::of(Received::refused, "This server is not in that room.");
      break;
    }
    const bool settled = co_await services_.heads.settle(*lock);
    if (!settled) {
      ++attempt;
      continue;
    }
    std::vector<const Inbound*> next;
    for (std::size_t i = 0; i < std::min(at_once, open.size()); ++i)
      next.push_back(&batch[open[i]]);
    LateEvents late(services_.database, services_.events, lock->head());
    auto run = co_await append_run(lock->head(), std::move(next));
    if (!run.unit->events.empty()) {
      co_await late.place(*run.unit);
      auto written = co_await services_.heads.commit(std::move(*lock), run.unit);
      if (written.failure() == WriteFailure::stale_head) {
        ++attempt;
        continue;
      }
      if (written.failure() == WriteFailure::unavailable) throw db::Unavailable(written.error().message);
      if (!written && run.appended.size() > 1) {
        at_once = 1;  // so that the one that can't be stored does not take the others along
        continue;
      }
      if (!written) run.appended.front().outcome = ReceiveOutcome::of(Received::refused, written.error().message);
    }
    for (Appended& one : run.appended) {
      count(one.outcome.result);
      ended[open.front()] = std::move(one);
      open.pop_front();
    }
  }
  co_return ended;
}

// As many of the events, in their order, as one unit can hold: not one that needs another's commit first.
Task<InboundEvents::Run> InboundEvents::append_run(RoomHead& head, std::vector<const Inbound*> events) {
  std::vector<EventPtr> arriving;
  for (const Inbound* inbound : events)
    arriving.push_back(inbound->event);
  const auto known = co_await services_.placer.named_by(arriving);
  const auto redactions = co_await services_.redactions.waiting_for(arriving);
  Run run;
  run.unit = std::make_shared<WriteUnit>();
  ForkedState forked(services_.forks, head, *run.unit);
  KnownEvents placed;
  for (const Inbound* inbound : events) {
    if (meets_redaction(*inbound->event, *run.unit, placed)) break;
    auto around = look_around(head, *inbound, known, placed);
    if (inbound->event->is_state("m.room.create", ""))
      around.outcome = ReceiveOutcome::of(Received::refused, "A room is not created by sending its first event.");
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

void InboundEvents::count(Received result) {
  if (result == Received::accepted) accepted_.Increment();
  if (result == Received::soft_failed) soft_failed_.Increment();
  if (result == Received::rejected) rejected_.Increment();
}

Task<InboundEvents::Appended> InboundEvents::judge_and_append(RoomHead& head, ForkedState& forked, WriteUnit& unit,
                                                              const Inbound& inbound, Surroundings around,
                                                              const Redactions::Waiting& redactions) {
  Appended appended;
  auto before = co_await services_.placer.state_before(head, forked, inbound, around);
  if (!before) {
    const bool out_of_bounds = before.error().code == ErrorCode::limit_exceeded;
    if (out_of_bounds) unresolved_.Increment();
    appended.outcome =
        ReceiveOutcome::of(out_of_bounds ? Received::refused : Received::missing, before.error().message);
    co_return appended;
  }
  auto stored = co_await services_.placer.stored_form(head, inbound, around);
  stored->before = *before;
  appended.stored = stored;
  appended.outcome = co_await services_.judge.judge(head, forked, *stored, around.auth);
  const Received result = appended.outcome.result;
  if (inbound.only_if_accepted && result != Received::accepted) co_return appended;
  const bool stands = result == Received::rejected && around.was_accepted();
  if (stands && builds_on_told(inbound, around)) {
    appended.stored = nullptr;
    appended.outcome =
        ReceiveOutcome::of(Received::missing, "The state told does not allow what this server has accepted.");
    co_return appended;
  }
  mark(*stored, around, result);
  if (!stored->has(db::EventFlags::rejected))
    co_await services_.redactions.apply_waiting(head, unit, stored, redactions);
  if (is_behind_gap(around.missing_prev, around.prev)) stored->flags = stored->flags | db::EventFlags::behind_gap;

  const bool at_tip = around.at_tip && result == Received::accepted;
  Result<> placed;
  if (at_tip)
    co_await services_.builder.append(head, unit, stored);
  else
    placed = co_await append_beside(head, unit, forked, stored, result);
  if (!placed) {  // kept, but nothing is built on what can't be merged
    unresolved_.Increment();
    stored->flags = stored->flags | db::EventFlags::soft_failed;
    appended.outcome = ReceiveOutcome::of(Received::soft_failed, placed.error().message);
  }
  for (auto& missing : around.missing_prev)
    unit.new_gaps.emplace_back(std::move(missing), stored->nid);
  unit.closed_gaps.push_back(stored->event->id());
  unit.unstaged.push_back(stored->event->id());
  const bool accepted = appended.outcome.result == Received::accepted;
  if (accepted && stored->event->is("m.room.redaction") && stored->event->redacts())
    co_await services_.redactions.apply(head, unit, stored, around.auth);
  co_return appended;
}

// An event that is not simply the next one: on a branch, soft-failed or rejected.
Task<Result<>> InboundEvents::append_beside(RoomHead& head, WriteUnit& unit, ForkedState& forked, NewEventPtr stored,
                                            Received result) {
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
  const auto below = co_await built_on(services_.events, unit, *stored->event);
  std::erase_if(head.extremities, [&](const Extremity& old) { return below.contains(old.id); });
  if (head.extremities.size() >= max_extremities) co_return Result<>{};
  head.extremities.emplace_back(*stored);
  auto resolved = co_await forked.resolve_extremities(index);
  if (!resolved) head.extremities = std::move(extremities_before);
  co_return resolved;
}

}  // namespace causeway
