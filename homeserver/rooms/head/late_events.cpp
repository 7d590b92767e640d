#include "homeserver/rooms/head/late_events.hpp"

#include <algorithm>
#include <unordered_set>

#include "schema/db/tables/late_events.hpp"

namespace causeway {

namespace {
constexpr std::size_t max_placed = 1'000;  // with one event
}  // namespace

LateEvents::LateEvents(db::Database& database, EventStore& events, const RoomHead& head)
    : database_(database), events_(events), room_(head.nid) {
  for (const Extremity& extremity : head.extremities)
    tip_.push_back(extremity.id);
}

Task<> LateEvents::place(WriteUnit& unit) {
  std::vector<EventId> beside;  // do not build on all that there was
  for (const NewEvent& added : unit.events) {
    const Event& event = *added.stored->event;
    const auto& prev = event.prev_events();
    const auto is_built_on = [&prev](const EventId& id) { return std::ranges::find(prev, id) != prev.end(); };
    if (std::ranges::all_of(tip_, is_built_on))
      tip_.assign(1, event.id());
    else if (!added.stored->has(db::EventFlags::rejected))
      beside.push_back(event.id());
  }
  if (beside.empty()) co_return;
  auto find = [room = room_, ids = std::move(beside)](db::Connection& connection) {
    return db::filled_gaps(connection, room, ids);
  };
  const auto filled = co_await database_.run(std::move(find));
  for (const db::FilledGap& gap : filled) {
    LatePlaces places;
    places.before = OrderKey{gap.anchor, gap.sub};
    const auto late = co_await past_after(unit, gap.missing, places.before);
    for (const auto& event : late)
      places.events.push_back(event->nid);
    unit.late.push_back(std::move(places));
  }
}

// The event and what it builds on, as far as that came after the gap; in the order of arrival.
Task<std::vector<StoredEventPtr>> LateEvents::past_after(const WriteUnit& unit, EventId filling, OrderKey gap) {
  std::unordered_map<EventId, StoredEventPtr> arriving;
  for (const NewEvent& added : unit.events)
    arriving.emplace(added.stored->event->id(), added.stored);
  std::unordered_set<EventId> seen;
  seen.insert(filling);
  std::vector<StoredEventPtr> earlier;
  std::vector<EventId> next(1, std::move(filling));
  while (!next.empty()) {
    auto found = co_await events_.by_id(next);
    std::vector<EventId> further;
    for (std::size_t i = 0; i < next.size(); ++i) {
      const auto in_unit = arriving.find(next[i]);
      const StoredEventPtr event = in_unit != arriving.end() ? in_unit->second : found[i];
      if (!event || event->room != room_) continue;
      if (in_unit == arriving.end()) {
        if (!event->is_live() || *event->order < gap) continue;
        earlier.push_back(event);
      }
      for (const EventId& prev : event->event->prev_events())
        if (seen.size() < max_placed && seen.insert(prev).second) further.push_back(prev);
    }
    next = std::move(further);
  }
  std::ranges::sort(earlier, {}, [](const StoredEventPtr& event) { return event->position(); });
  for (const NewEvent& added : unit.events)
    if (seen.contains(added.stored->event->id())) earlier.push_back(added.stored);
  co_return earlier;
}

}  // namespace causeway
