// The timelines in a /sync reply: of each room the newest events the client has not seen, in order of arrival.
#include "homeserver/events/event_bytes.hpp"
#include "homeserver/rooms/reader/history_visibility.hpp"
#include "homeserver/sync/sync_builder.hpp"

namespace causeway {

namespace {

constexpr std::size_t default_limit = 10;
constexpr std::size_t max_limit = 100;

// With a filter more is read than is kept, within these bounds.
constexpr std::size_t filtered_page = 100;
constexpr int max_filtered_pages = 10;

}  // namespace

// A timeline on its way: pages are read backwards until there are enough events that the filter wants.
struct SyncBuilder::Reading {
  RoomPart* part = nullptr;
  StreamPosition until = 0;
  std::vector<StoredEventPtr> newest_first;
  bool at_gap = false;  // what came before is not all that was before
  EventStore::Range last;
};

Task<> SyncBuilder::read_timelines() {
  std::vector<Reading> readings;
  for (RoomPart& part : parts_) {
    const bool has_timeline = part.section == RoomPart::Section::join || part.section == RoomPart::Section::leave;
    if (!has_timeline || !part.has_events || part.only_own_event) continue;
    if (!filter_->room_timeline.rooms.accepts(part.info->id.str())) continue;
    Reading& reading = readings.emplace_back();
    reading.part = &part;
    reading.until = part.until;
  }
  co_await read_pages(std::move(readings), filter_->room_timeline.limit_or(default_limit, max_limit));
}

Task<> SyncBuilder::read_pages(std::vector<Reading> open, std::size_t limit) {
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
    if (!co_await budget_.take(bytes)) co_return;
    for (std::size_t i = 0; i < open.size(); ++i) {
      Reading& reading = open[i];
      reading.last = std::move(ranges[i]);
      const auto& events = reading.last.events;
      for (auto event = events.rbegin(); event != events.rend() && !reading.at_gap; ++event) {
        if (wanted_in_timeline(**event)) reading.newest_first.push_back(*event);
        reading.at_gap = (*event)->has(db::EventFlags::behind_gap);
      }
      if (!events.empty()) reading.until = events.front()->position() - 1;
      finish_timeline(reading, limit);
    }
    std::erase_if(open, [&](const Reading& reading) {
      return unfiltered() || reading.at_gap || reading.newest_first.size() > limit || !reading.last.more_before;
    });
  }
}

// What is read so far as the part's timeline. It begins behind the last gap that federation left: paging back from
// there brings what is missing, and what is known from before it.
void SyncBuilder::finish_timeline(Reading& reading, std::size_t limit) const {
  RoomPart& part = *reading.part;
  const auto& [events, more_before] = reading.last;
  part.limited = more_before || reading.at_gap || reading.newest_first.size() > limit || since_was_lost_;
  // A room that was joined over federation has a past that this server may not even have.
  if (part.fresh && !more_before)
    part.limited = part.limited || events.empty() || !events.front()->event->is_state("m.room.create", "");
  const auto kept = static_cast<std::ptrdiff_t>(std::min(reading.newest_first.size(), limit));
  part.timeline.assign(reading.newest_first.begin(), reading.newest_first.begin() + kept);
  std::reverse(part.timeline.begin(), part.timeline.end());
}

// spec: client-server-api#ignoring-users: state events of ignored users are still sent.
bool SyncBuilder::wanted_in_timeline(const StoredEvent& event) const {
  if (!event.key && user_->ignored.contains(event.event->sender().str())) return false;
  return filter_->room_timeline.accepts(*event.event);
}

// spec: client-server-api#server-behaviour-5 (history visibility)
Task<> SyncBuilder::keep_visible() {
  std::vector<RoomPart*> undecided;
  for (RoomPart& part : parts_)
    if (!part.timeline.empty() && !part.only_own_event && !joined_all_the_time(part)) undecided.push_back(&part);
  if (!undecided.empty()) {
    const auto open = co_await open_to_members();
    for (RoomPart* part : undecided)
      if (!open.contains(part->info->nid))
        part->timeline = co_await s_.reader.visible_to(request_.requester.user, part->info, std::move(part->timeline));
  }
}

// Whoever is joined sees everything that is sent meanwhile. True when the user was joined all the time and no event
// stands on an older state.
bool SyncBuilder::joined_all_the_time(const RoomPart& part) const {
  if (part.section != RoomPart::Section::join || part.fresh || part.membership.position > part.since) return false;
  return std::all_of(part.timeline.begin(), part.timeline.end(), [&](const auto& event) {
    return event->before.line == 0 && event->before.version >= part.since_version;
  });
}

// The history visibility in the state that is told holds for the whole timeline: nothing is left out of it, nothing
// forks off, and no event changes it.
bool SyncBuilder::visibility_holds(const RoomPart& part) const {
  if (part.section != RoomPart::Section::join || !part.whole || !unfiltered()) return false;
  StateRef state = part.start();
  for (const auto& event : part.timeline) {
    if (event->before != state || event->event->is_state("m.room.history_visibility", "")) return false;
    state = event->state_after();
  }
  return state.line == 0 && state == part.end;
}

// Rooms that the user is in and whose timeline is for all members, whenever they came.
Task<std::unordered_set<RoomNid>> SyncBuilder::open_to_members() {
  StateKey name;
  name.type = "m.room.history_visibility";
  const StateKeyNid key = co_await s_.interner.state_key(std::move(name));
  std::unordered_set<RoomNid> open;
  std::vector<RoomNid> rooms;
  std::vector<EventNid> holders;
  for (const RoomPart& part : parts_) {
    if (!visibility_holds(part)) continue;
    const auto holder = part.whole->find(key);
    if (holder == part.whole->end()) {
      open.insert(part.info->nid);  // spec: shared where nothing is said
      continue;
    }
    rooms.push_back(part.info->nid);
    holders.push_back(holder->second);
  }
  const auto events = co_await s_.events.by_nid(std::move(holders));
  for (std::size_t i = 0; i < rooms.size(); ++i) {
    if (!events[i]) continue;
    const auto visibility = parse_history_visibility(events[i]->event->content());
    if (visibility == HistoryVisibility::shared || visibility == HistoryVisibility::world_readable)
      open.insert(rooms[i]);
  }
  co_return open;
}

}  // namespace causeway
