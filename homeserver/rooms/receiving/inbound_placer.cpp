#include "homeserver/rooms/receiving/inbound_placer.hpp"

namespace causeway {

Task<KnownEvents> InboundPlacer::named_by(std::vector<EventPtr> events) {
  std::vector<EventId> ids;
  for (const auto& event : events) {
    ids.push_back(event->id());
    ids.insert(ids.end(), event->prev_events().begin(), event->prev_events().end());
    ids.insert(ids.end(), event->auth_events().begin(), event->auth_events().end());
  }
  std::ranges::sort(ids);
  const auto repeated = std::ranges::unique(ids);
  ids.erase(repeated.begin(), repeated.end());
  auto found = co_await events_.by_id(ids);
  KnownEvents known;
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (found[i]) known.emplace(ids[i], std::move(found[i]));
  co_return known;
}

Task<NewEventPtr> InboundPlacer::stored_form(RoomHead& head, const Inbound& inbound, const Surroundings& around) {
  auto stored = std::make_shared<StoredEvent>();
  stored->room = head.nid;
  stored->event = inbound.event;
  stored->sender = co_await interner_.user(inbound.event->sender());
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
    stored->nid = co_await interner_.next_event();
  }
  if (!inbound.event->is_state()) co_return stored;
  StateKey key(inbound.event->type(), *inbound.event->state_key());
  stored->key = co_await interner_.state_key(std::move(key));
  for (const auto& auth : around.auth)
    stored->cite(*auth);
  co_return stored;
}

Task<Result<StateRef>> InboundPlacer::state_before(RoomHead& head, ForkedState& forked, const Inbound& inbound,
                                                   const Surroundings& around) {
  if (!builds_on_told(inbound, around)) co_return co_await forked.before(around.prev);
  auto told = co_await told_.after_missing(head, inbound, around);
  if (!told) co_return told.error();
  co_return co_await forked.before(around.prev, std::move(*told));
}

}  // namespace causeway
