#include "homeserver/sync/timelines.hpp"

#include <algorithm>

#include "homeserver/events/event_bytes.hpp"
#include "homeserver/rooms/reader/history_visibility.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"

namespace causeway {

namespace {

constexpr std::size_t default_limit = 10;
constexpr std::size_t max_limit = 100;

// With a filter more is read than is kept, within these bounds.
constexpr std::size_t filtered_page = 100;
constexpr int max_filtered_pages = 10;

// Whoever is joined sees everything that is sent meanwhile. True when the user was joined all the time and no event
// stands on an older state.
bool joined_all_the_time(const RoomPart& part) {
  if (part.list != RoomPart::List::join || part.fresh || part.membership.position > part.since) return false;
  return std::all_of(part.timeline.begin(), part.timeline.end(), [&](const auto& event) {
    return event->before.line == 0 && event->before.version >= part.since_version;
  });
}

}  // namespace

// A timeline on its way: pages are read backwards until there are enough events that the filter wants.
struct Timelines::Reading {
  RoomPart* part = nullptr;
  StreamPosition until = 0;
  std::vector<StoredEventPtr> newest_first;
  bool at_gap = false;  // what came before is not all that was before
  EventStore::Range last;
};

Task<> Timelines::read(std::vector<RoomPart>& rooms) {
  std::vector<Reading> readings;
  for (RoomPart& part : rooms) {
    if (!part.has_timeline() || !part.has_events || part.only_own_event) continue;
    if (!span_.filter->room_timeline.rooms.accepts(part.info->id.str())) continue;
    Reading& reading = readings.emplace_back();
    reading.part = &part;
    reading.until = part.until;
  }
  co_await read_pages(std::move(readings), span_.filter->room_timeline.limit_or(default_limit, max_limit));
}

Task<> Timelines::read_pages(std::vector<Reading> open, std::size_t limit) {
  const std::size_t page = unfiltered() ? std::max<std::size_t>(limit, 1) : filtered_page;
  for (int pages = 0; pages < max_filtered_pages && !open.empty(); ++pages) {
    std::vector<EventStore::Span> spans;
    for (const Reading& reading : open) {
      EventStore::Span& span = spans.emplace_back();
      span.room = reading.part->info->nid;
      span.since = reading.part->since;
      span.until = reading.until;
    }
    auto ranges = co_await s_.events.live_ranges(std::move(spans), page);
    std::size_t bytes = 0;
    for (const auto& range : ranges)
      for (const auto& event : range.events)
        bytes += event_bytes(*event) + 2 * event->event->json().size();
    if (!co_await cost_.budget.take(bytes)) co_return;
    for (std::size_t i = 0; i < open.size(); ++i) {
      Reading& reading = open[i];
      reading.last = std::move(ranges[i]);
      const auto& events = reading.last.events;
      for (auto event = events.rbegin(); event != events.rend() && !reading.at_gap; ++event) {
        if (wants(**event)) reading.newest_first.push_back(*event);
        reading.at_gap = (*event)->has(db::EventFlags::behind_gap);
      }
      if (!events.empty()) reading.until = events.front()->position() - 1;
      finish(reading, limit);
    }
    std::erase_if(open, [&](const Reading& reading) {
      return unfiltered() || reading.at_gap || reading.newest_first.size() > limit || !reading.last.more_before;
    });
  }
}

// What is read so far as the part's timeline. It begins behind the last gap that federation left: paging back from
// there brings what is missing, and what is known from before it.
void Timelines::finish(Reading& reading, std::size_t limit) const {
  RoomPart& part = *reading.part;
  const auto& [events, more_before] = reading.last;
  part.limited = more_before || reading.at_gap || reading.newest_first.size() > limit || span_.since_was_lost;
  // A room that was joined over federation has a past that this server may not even have.
  if (part.fresh && !more_before)
    part.limited = part.limited || events.empty() || !events.front()->event->is_state("m.room.create", "");
  const auto kept = static_cast<std::ptrdiff_t>(std::min(reading.newest_first.size(), limit));
  part.timeline.assign(reading.newest_first.begin(), reading.newest_first.begin() + kept);
  std::reverse(part.timeline.begin(), part.timeline.end());
}

bool Timelines::unfiltered() const {
  return span_.filter->room_timeline.accepts_everything() && span_.user->ignored.empty();
}

// spec: client-server-api#ignoring-users: state events of ignored users are still sent.
bool Timelines::wants(const StoredEvent& event) const {
  if (!event.key && span_.user->ignored.contains(event.event->sender().str())) return false;
  return span_.filter->room_timeline.accepts(*event.event);
}

// spec: client-server-api#server-behaviour-5 (history visibility)
Task<> Timelines::keep_visible(std::vector<RoomPart>& rooms) {
  std::vector<RoomPart*> undecided;
  for (RoomPart& part : rooms)
    if (!part.timeline.empty() && !part.only_own_event && !joined_all_the_time(part)) undecided.push_back(&part);
  if (!undecided.empty()) {
    const auto open = co_await open_to_members(rooms);
    for (RoomPart* part : undecided)
      if (!open.contains(part->info->nid))
        part->timeline = co_await s_.reader.visible_to(span_.user->id, part->info, std::move(part->timeline));
  }
}

// The history visibility in the state that is told holds for the whole timeline: nothing is left out of it, nothing
// forks off, and no event changes it.
bool Timelines::visibility_holds(const RoomPart& part) const {
  if (part.list != RoomPart::List::join || !part.whole || !unfiltered()) return false;
  StateRef state = part.start();
  for (const auto& event : part.timeline) {
    if (event->before != state || event->event->is_state("m.room.history_visibility", "")) return false;
    state = event->state_after();
  }
  return state.line == 0 && state == part.end;
}

// Rooms that the user is in and whose timeline is for all members, whenever they came.
Task<std::unordered_set<RoomNid>> Timelines::open_to_members(const std::vector<RoomPart>& rooms) {
  StateKey name;
  name.type = "m.room.history_visibility";
  const StateKeyNid key = co_await s_.interner.state_key(std::move(name));
  std::unordered_set<RoomNid> open;
  std::vector<RoomNid> asked;
  std::vector<EventNid> holders;
  for (const RoomPart& part : rooms) {
    if (!visibility_holds(part)) continue;
    const auto holder = part.whole->find(key);
    if (holder == part.whole->end()) {
      open.insert(part.info->nid);  // spec: shared where nothing is said
      continue;
    }
    asked.push_back(part.info->nid);
    holders.push_back(holder->second);
  }
  const auto events = co_await s_.events.by_nid(std::move(holders));
  for (std::size_t i = 0; i < asked.size(); ++i) {
    if (!events[i]) continue;
    const auto visibility = parse_history_visibility(events[i]->event->content());
    if (visibility == HistoryVisibility::shared || visibility == HistoryVisibility::world_readable)
      open.insert(asked[i]);
  }
  co_return open;
}

}  // namespace causeway
