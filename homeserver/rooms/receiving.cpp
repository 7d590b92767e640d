// Events that others made: judged by the fourth to sixth check of the specification, then appended.
//
// spec: server-server-api#checks-performed-on-receipt-of-a-pdu
#include <prometheus/counter.h>
#include <spdlog/spdlog.h>

#include "homeserver/rooms/auth_state.hpp"
#include "homeserver/rooms/forked_state.hpp"
#include "homeserver/rooms/room_service_impl.hpp"

namespace causeway {

namespace {

constexpr int max_attempts = 5;
// Beyond this many branches a further one is kept, but new events don't name it.
constexpr std::size_t max_extremities = 64;

ReceiveOutcome outcome(Received result, std::string reason = {}) {
  ReceiveOutcome made;
  made.result = result;
  made.reason = std::move(reason);
  return made;
}

bool in_timeline(const StoredEventPtr& event, const RoomHead& head) {
  return event && event->room == head.nid && event->order.has_value();
}

}  // namespace

Task<ReceiveOutcome> RoomService::Impl::receive(ServerName origin, VerifiedEvent event,
                                                std::optional<std::vector<EventId>> state_before) {
  Inbound inbound;
  inbound.event = event.event();
  inbound.hash_mismatch = event.hash_mismatch();
  inbound.state_before = std::move(state_before);
  if (inbound.event->is_state("m.room.create", ""))
    co_return outcome(Received::refused, "A room is not created by sending its first event.");
  const RoomId room_id = inbound.event->room_id();
  co_await wait_for_join(room_id);
  auto room = co_await services.reader.room(room_id);
  if (!room) co_return outcome(Received::refused, "This server is not in that room.");
  // spec: client-server-api#server-access-control-lists-acls-for-rooms
  const bool allowed = co_await services.reader.acl_allows(origin, room->nid);
  if (!allowed) co_return outcome(Received::refused, "The room's server ACL shuts that server out.");
  auto appended = co_await append_inbound(std::move(inbound));
  co_return std::move(appended.outcome);
}

// An event that comes while this server is joining is not lost: it waits for the join's end.
Task<> RoomService::Impl::wait_for_join(RoomId room) {
  auto slot = heads.slot(room);
  while (slot->joins > 0)
    co_await slot->joined.wait();
}

Task<RoomService::Impl::Appended> RoomService::Impl::append_inbound(Inbound inbound) {
  Appended appended;
  for (int attempt = 1; attempt <= max_attempts; ++attempt) {
    auto lock = co_await heads.enter(inbound.event->room_id());
    if (!lock) {
      appended.outcome = outcome(Received::refused, lock.error().message);
      co_return appended;
    }
    if (!lock->known() || !lock->head().in_room(services.self.name)) {
      appended.outcome = outcome(Received::refused, "This server is not in that room.");
      co_return appended;
    }
    auto around = co_await look_around(lock->head(), inbound);
    if (around.outcome) {
      appended.outcome = std::move(*around.outcome);
      co_return appended;
    }
    if (!around.at_tip) {
      const bool settled = co_await heads.settle(*lock);
      if (!settled) continue;
      // What was in flight may have been this very event, come by another path.
      around = co_await look_around(lock->head(), inbound);
      if (around.outcome) {
        appended.outcome = std::move(*around.outcome);
        co_return appended;
      }
    }
    auto unit = std::make_shared<WriteUnit>();
    appended = co_await judge_and_append(lock->head(), *unit, inbound, std::move(around));
    if (unit->events.empty()) co_return appended;
    auto written = co_await heads.commit(std::move(*lock), unit);
    if (written) {
      count_received(appended.outcome.result);
      co_return appended;
    }
    if (!EventWriter::is_stale_head(written.error())) {
      appended.outcome = outcome(Received::refused, written.error().message);
      co_return appended;
    }
  }
  appended.outcome = outcome(Received::refused, "The room is busy.");
  co_return appended;
}

void RoomService::Impl::count_received(Received result) {
  if (result == Received::accepted) accepted_events.Increment();
  if (result == Received::soft_failed) soft_failed_events.Increment();
  if (result == Received::rejected) rejected_events.Increment();
}

// What is here of the event itself and of those it names.
Task<RoomService::Impl::Surroundings> RoomService::Impl::look_around(RoomHead& head, const Inbound& inbound,
                                                                     const EventsById& uncommitted) {
  const Event& event = *inbound.event;
  std::vector<EventId> ids(1, event.id());
  ids.insert(ids.end(), event.prev_events().begin(), event.prev_events().end());
  ids.insert(ids.end(), event.auth_events().begin(), event.auth_events().end());
  auto found = co_await services.events.by_id(ids);
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (auto own = uncommitted.find(ids[i]); own != uncommitted.end()) found[i] = own->second;
  Surroundings around;
  around.existing = found.front();
  if (around.existing && around.existing->order) {
    around.outcome = outcome(Received::duplicate);
    co_return around;
  }
  ReceiveOutcome missing = outcome(Received::missing);
  const std::size_t prev_count = event.prev_events().size();
  for (std::size_t i = 0; i < prev_count; ++i) {
    const auto& prev = found[1 + i];
    if (in_timeline(prev, head) || (prev && uncommitted.contains(prev->event->id())))
      around.prev.push_back(prev);
    else
      missing.missing_prev.push_back(event.prev_events()[i]);
  }
  for (std::size_t i = 0; i < event.auth_events().size(); ++i) {
    const auto& auth = found[1 + prev_count + i];
    if (auth)
      around.auth.push_back(auth);
    else
      missing.missing_auth.push_back(event.auth_events()[i]);
  }
  around.missing_prev = missing.missing_prev;
  const bool blocked = !missing.missing_auth.empty() || (!inbound.state_before && !missing.missing_prev.empty());
  if (blocked) around.outcome = std::move(missing);
  around.at_tip = !inbound.state_before && around.prev.size() == head.extremities.size() &&
                  std::ranges::all_of(head.extremities, [&](const Extremity& extremity) {
                    return std::ranges::any_of(around.prev, [&](const auto& p) { return p->nid == extremity.nid; });
                  });
  co_return around;
}

Task<NewEventPtr> RoomService::Impl::stored_form(RoomHead& head, const Inbound& inbound, const Surroundings& around) {
  auto stored = std::make_shared<StoredEvent>();
  stored->room = head.nid;
  stored->event = inbound.event;
  stored->sender = co_await services.interner.user(inbound.event->sender());
  if (inbound.local) stored->flags = stored->flags | db::EventFlags::local;
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
    stored->auth.push_back(auth->nid);
  co_return stored;
}

Task<Result<StateRef>> RoomService::Impl::find_state_before(ForkedState& forked, const Inbound& inbound,
                                                            const Surroundings& around) {
  if (!inbound.state_before) co_return co_await forked.before(around.prev);
  auto events = co_await services.events.by_id(*inbound.state_before);
  StateMap snapshot;
  for (const auto& event : events) {
    if (!event) co_return make_error(ErrorCode::not_found, "The state before the event is not here.");
    if (event->key && !event->has(db::EventFlags::rejected)) snapshot[*event->key] = event->nid;
  }
  co_return co_await forked.from_snapshot(std::move(snapshot));
}

Task<RoomService::Impl::Appended> RoomService::Impl::judge_and_append(RoomHead& head, WriteUnit& unit,
                                                                      const Inbound& inbound, Surroundings around) {
  const ForkedState::Services forked_services{services.events, services.states, heads, builder, services.cpu};
  ForkedState forked(forked_services, head, unit);
  Appended appended;
  auto before = co_await find_state_before(forked, inbound, around);
  if (!before) {
    appended.outcome = outcome(Received::missing, before.error().message);
    co_return appended;
  }
  auto stored = co_await stored_form(head, inbound, around);
  stored->before = *before;
  appended.stored = stored;
  appended.outcome = co_await judge(head, forked, *stored, around.auth);
  const Received result = appended.outcome.result;
  if (inbound.only_if_accepted && result != Received::accepted) co_return appended;
  if (result == Received::rejected) stored->flags = stored->flags | db::EventFlags::rejected;
  if (result == Received::soft_failed) stored->flags = stored->flags | db::EventFlags::soft_failed;
  if (result != Received::rejected) co_await apply_waiting_redactions(head, unit, stored);

  const bool at_tip = around.at_tip && result == Received::accepted;
  if (at_tip)
    co_await builder.append(head, unit, stored);
  else
    co_await append_beside(head, unit, forked, stored, result);
  for (auto& missing : around.missing_prev)
    unit.new_gaps.emplace_back(std::move(missing), stored->nid);
  unit.closed_gaps.push_back(stored->event->id());
  unit.unstaged.push_back(stored->event->id());
  if (result == Received::accepted && stored->event->is("m.room.redaction") && stored->event->redacts()) {
    auto levels = co_await levels_cited(head, around.auth);
    co_await redact_target(head, unit, stored, std::move(levels));
  }
  co_return appended;
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

Task<AuthEvents> RoomService::Impl::auth_state_at(ForkedState& forked, StateRef at, const Event& event) {
  auto keys = auth_event_keys(event.version(), event.type(), event.state_key(), event.sender(), event.content());
  if (event.version().room_id_is_create_hash) keys.emplace_back("m.room.create", "");
  auto nids = co_await services.interner.state_keys(std::move(keys));
  auto holders = co_await forked.holders(at, std::move(nids));
  AuthEvents state;
  for (const auto& holder : holders)
    if (holder) state.add(holder->event);
  co_return state;
}

// An event that is not simply the next one: on a branch, soft-failed or rejected.
Task<> RoomService::Impl::append_beside(RoomHead& head, WriteUnit& unit, ForkedState& forked, NewEventPtr stored,
                                        Received result) {
  head.dirty = true;
  const std::size_t index = unit.events.size();
  NewEvent added;
  added.stored = stored;
  unit.events.push_back(std::move(added));
  if (result == Received::rejected) co_return;
  if (stored->key) {
    head.remember_uncommitted(stored);
    stored->after = forked.after(stored->before, *stored->key, stored->nid);
  }
  if (result == Received::soft_failed) co_return;
  const auto& named = stored->event->prev_events();
  std::erase_if(head.extremities,
                [&](const Extremity& old) { return std::ranges::find(named, old.id) != named.end(); });
  if (head.extremities.size() >= max_extremities) co_return;
  Extremity extremity;
  extremity.nid = stored->nid;
  extremity.id = stored->event->id();
  extremity.depth = stored->event->depth();
  extremity.after = stored->state_after();
  head.extremities.push_back(std::move(extremity));
  co_await forked.resolve_extremities(index);
}

}  // namespace causeway
