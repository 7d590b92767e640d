// The timeline of a room in a /sync reply: the newest events the client has not seen, in order of arrival.
#include "homeserver/sync/sync_builder.hpp"

namespace causeway {

namespace {

constexpr std::size_t default_limit = 10;
constexpr std::size_t max_limit = 100;

// With a filter more is read than is kept, within these bounds.
constexpr std::size_t filtered_page = 100;
constexpr int max_filtered_pages = 10;

}  // namespace

Task<> SyncBuilder::read_timeline(RoomPart& part) {
  if (part.section != RoomPart::Section::join && part.section != RoomPart::Section::leave) co_return;
  part.prev_batch.anchor = part.until;
  part.prev_batch.sub = 1;  // behind the live event there
  if (!part.has_events) co_return;
  if (!part.only_own_event && filter_->room_timeline.rooms.accepts(part.info->id.str())) {
    co_await read_range(part, filter_->room_timeline.limit_or(default_limit, max_limit));
    co_await keep_visible(part);
  }
  if (!part.timeline.empty() && part.timeline.front()->order) part.prev_batch = *part.timeline.front()->order;
}

Task<> SyncBuilder::read_range(RoomPart& part, std::size_t limit) {
  const bool unfiltered = filter_->room_timeline.accepts_everything() && user_->ignored.empty();
  const std::size_t page = unfiltered ? std::max<std::size_t>(limit, 1) : filtered_page;
  StreamPosition until = part.until;
  std::vector<StoredEventPtr> newest_first;
  EventStore::Range range;
  for (int pages = 0; pages < max_filtered_pages; ++pages) {
    range = co_await s_.events.live_range(part.info->nid, part.since, until, page);
    for (auto event = range.events.rbegin(); event != range.events.rend(); ++event)
      if (wanted_in_timeline(**event)) newest_first.push_back(*event);
    if (unfiltered || newest_first.size() > limit || !range.more_before) break;
    until = range.events.front()->position() - 1;
  }
  part.limited = range.more_before || newest_first.size() > limit;
  // A room that was joined over federation has a past that this server may not even have.
  if (part.fresh && !range.more_before)
    part.limited = part.limited || range.events.empty() || !range.events.front()->event->is_state("m.room.create", "");
  if (newest_first.size() > limit) newest_first.resize(limit);
  part.timeline.assign(newest_first.rbegin(), newest_first.rend());
}

// spec: client-server-api#ignoring-users: state events of ignored users are still sent.
bool SyncBuilder::wanted_in_timeline(const StoredEvent& event) const {
  if (!event.key && user_->ignored.contains(event.event->sender().str())) return false;
  return filter_->room_timeline.accepts(*event.event);
}

// spec: client-server-api#server-behaviour-5 (history visibility)
Task<> SyncBuilder::keep_visible(RoomPart& part) {
  if (part.timeline.empty() || surely_visible(part)) co_return;
  part.timeline = co_await s_.reader.visible_to(request_.requester.user, part.info, std::move(part.timeline));
}

// Whoever is joined sees everything that is sent meanwhile. True when the user was joined all the time and no event
// stands on an older state.
bool SyncBuilder::surely_visible(const RoomPart& part) const {
  if (part.section != RoomPart::Section::join || part.fresh || part.membership.position > part.since) return false;
  return std::all_of(part.timeline.begin(), part.timeline.end(), [&](const auto& event) {
    return event->before.line == 0 && event->before.version >= part.since_version;
  });
}

}  // namespace causeway
