#include "homeserver/rooms/receiving/outliers.hpp"

#include "schema/log.hpp"

#include <set>

namespace causeway {

namespace {

constexpr std::size_t max_events_per_unit = 200;

std::vector<EventId> ids_around(const std::vector<VerifiedEvent>& events) {
  std::set<EventId> ids;
  for (const auto& event : events) {
    ids.insert(event.event()->id());
    for (auto& cited : cited_by(*event.event()))
      ids.insert(std::move(cited));
  }
  return {ids.begin(), ids.end()};
}

}  // namespace

Task<std::vector<NewEventPtr>> Outliers::as_outliers(RoomNid room, const std::vector<VerifiedEvent>& events,
                                                     const KnownEvents& unjudged) {
  std::vector<UserId> senders;
  std::vector<StateKey> keys;
  for (const auto& event : events) {
    senders.push_back(event.event()->sender());
    if (event.event()->is_state()) keys.emplace_back(event.event()->type(), *event.event()->state_key());
  }
  auto sender_nids = co_await interner_.users(std::move(senders));
  auto key_nids = co_await interner_.state_keys(std::move(keys));
  std::vector<NewEventPtr> outliers;
  std::size_t next_key = 0;
  for (std::size_t i = 0; i < events.size(); ++i) {
    auto stored = std::make_shared<StoredEvent>();
    const auto here = unjudged.find(events[i].event()->id());
    const bool is_here = here != unjudged.end();
    if (is_here)
      stored->nid = here->second->nid;
    else
      stored->nid = co_await interner_.next_event();
    stored->room = room;
    stored->sender = sender_nids[i];
    stored->event = events[i].event();
    if (stored->event->is_state()) stored->key = key_nids[next_key++];
    if (events[i].hash_mismatch()) stored->flags = db::EventFlags::hash_mismatch;
    if (is_here && here->second->has(db::EventFlags::redacted)) {
      stored->event = here->second->event;
      stored->flags = stored->flags | db::EventFlags::redacted;
    }
    outliers.push_back(std::move(stored));
  }
  co_return outliers;
}

Task<Result<Outliers::Stored>> Outliers::store(RoomNid room, std::vector<VerifiedEvent> events,
                                               std::optional<NewRoom> new_room) {
  Stored result;
  auto ids = ids_around(events);
  auto here = co_await events_.by_id(std::move(ids));
  std::set<EventId> of_other_rooms;  // with IDs that their servers chose, in versions 1 and 2
  KnownEvents unjudged;              // in its turn now, under the number that it has
  for (auto& event : here) {
    if (!event) continue;
    if (event->room != room)
      of_other_rooms.insert(event->event->id());
    else if (event->has(db::EventFlags::unjudged))
      unjudged.emplace(event->event->id(), std::move(event));
    else
      result.known.emplace(event->event->id(), std::move(event));
  }
  std::erase_if(events, [&](const auto& event) { return result.known.contains(event.event()->id()); });
  auto sorted = in_citing_order(events);
  std::erase_if(sorted, [&](const auto& event) { return of_other_rooms.contains(event.event()->id()); });
  auto outliers = co_await as_outliers(room, sorted, unjudged);

  auto unit = std::make_shared<WriteUnit>();
  unit->room = room;
  unit->new_room = std::move(new_room);
  for (std::size_t i = 0; i < outliers.size(); ++i) {
    if (!judge_outlier(*outliers[i], result.known)) continue;
    result.known.emplace(outliers[i]->event->id(), outliers[i]);
    NewEvent added;
    added.stored = outliers[i];
    added.placement = Placement::outlier;
    unit->events.push_back(std::move(added));
    if (unit->events.size() < max_events_per_unit) continue;
    auto written = co_await writer_.commit(unit);
    if (!written) co_return written.error();
    unit = std::make_shared<WriteUnit>();
    unit->room = room;
  }
  if (!unit->events.empty() || unit->new_room) {
    auto written = co_await writer_.commit(unit);
    if (!written) co_return written.error();
  }
  for (const auto& event : events)
    if (!result.known.contains(event.event()->id())) result.left_out.push_back(event.event()->id());
  co_return result;
}

Task<std::vector<EventId>> Outliers::add(RoomId room_id, const RoomVersion* version,
                                         std::vector<VerifiedEvent> events) {
  std::erase_if(events, [&](const auto& event) {
    return event.event()->room_id() != room_id || &event.event()->version() != version;
  });
  std::vector<EventId> all;
  for (const auto& event : events)
    all.push_back(event.event()->id());
  auto lock = co_await heads_.enter(room_id);
  if (!lock || !lock->known()) co_return all;
  auto stored = co_await store(lock->head().nid, std::move(events), std::nullopt);
  if (!stored) {
    log::warn("room {}: outliers were not stored: {}", room_id.str(), stored.error().message);
    co_return all;
  }
  co_return std::move(stored->left_out);
}

}  // namespace causeway
