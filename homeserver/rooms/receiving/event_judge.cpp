#include "homeserver/rooms/receiving/event_judge.hpp"

namespace causeway {

std::vector<StateKey> keys_that_judge(const Event& event) {
  auto keys = auth_event_keys(event.version(), event.type(), event.state_key(), event.sender(), event.content());
  if (event.version().room_id_is_create_hash) keys.emplace_back("m.room.create", "");
  return keys;
}

Task<ReceiveOutcome> EventJudge::judge(RoomHead& head, ForkedState& forked, const StoredEvent& stored,
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
  auto create = co_await heads_.holder(head, std::move(create_key));
  if (head.version->room_id_is_create_hash && create) named.add(create->event);
  if (auto refusal = check_auth_events(event, entries))
    co_return ReceiveOutcome::of(Received::rejected, refusal->reason);
  if (auto refusal = check_auth(event, named)) co_return ReceiveOutcome::of(Received::rejected, refusal->reason);

  auto before = co_await auth_state_at(forked, stored.before, event);
  if (auto refusal = check_auth(event, before)) co_return ReceiveOutcome::of(Received::rejected, refusal->reason);
  if (against == Against::state_before || stored.before == head.current())
    co_return ReceiveOutcome::of(Received::accepted);
  auto current = co_await auth_state_at(forked, head.current(), event);
  if (auto refusal = check_auth(event, current)) co_return ReceiveOutcome::of(Received::soft_failed, refusal->reason);
  co_return ReceiveOutcome::of(Received::accepted);
}

Task<AuthEvents> EventJudge::auth_state_at(ForkedState& forked, StateRef at, const Event& event) {
  auto keys = keys_that_judge(event);
  auto nids = co_await interner_.state_keys(std::move(keys));
  auto holders = co_await forked.holders(at, std::move(nids));
  AuthEvents state;
  for (const auto& holder : holders)
    if (holder) state.add(holder->event);
  co_return state;
}

}  // namespace causeway
