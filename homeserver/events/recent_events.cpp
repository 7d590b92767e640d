#include "homeserver/events/recent_events.hpp"

#include "homeserver/events/event_bytes.hpp"
#include "schema/matrix/assert.hpp"

namespace causeway {

namespace {

constexpr auto position_below = [](const StoredEventPtr& event, StreamPosition at) { return event->position() < at; };
constexpr auto position_above = [](StreamPosition at, const StoredEventPtr& event) { return at < event->position(); };

// Replaces the event in an ascending sequence; returns what it replaced.
template <class Iterator>
StoredEventPtr replace_in(Iterator begin, Iterator end, const StoredEventPtr& redacted) {
  auto at = std::lower_bound(begin, end, redacted->position(), position_below);
  if (at == end || (*at)->nid != redacted->nid) return nullptr;
  return std::exchange(*at, redacted);
}

}  // namespace

std::vector<StoredEventPtr> RecentEvents::in_room(RoomNid room, StreamPosition since, StreamPosition until) const {
  CAUSEWAY_ASSERT(since >= complete_after_);
  auto found = by_room_.find(room);
  if (found == by_room_.end()) return {};
  const auto& events = found->second;
  auto begin = std::upper_bound(events.begin(), events.end(), since, position_above);
  auto end = std::upper_bound(begin, events.end(), until, position_above);
  return {begin, end};
}

std::span<const StoredEventPtr> RecentEvents::all() const {
  return std::span(events_).subspan(begin_);
}

std::vector<RoomNid> RecentEvents::rooms_changed(StreamPosition since, StreamPosition until) const {
  auto span = all();
  auto begin = std::upper_bound(span.begin(), span.end(), since, position_above);
  auto end = std::upper_bound(begin, span.end(), until, position_above);
  std::vector<RoomNid> rooms;
  for (auto at = begin; at != end; ++at)
    rooms.push_back((*at)->room);
  std::sort(rooms.begin(), rooms.end());
  rooms.erase(std::unique(rooms.begin(), rooms.end()), rooms.end());
  return rooms;
}

StreamPosition RecentEvents::last_in_room(RoomNid room) const {
  auto found = by_room_.find(room);
  return found == by_room_.end() ? 0 : found->second.back()->position();
}

void RecentEvents::append(StoredEventPtr event) {
  CAUSEWAY_ASSERT(event->is_live() && event->position() > complete_after_);
  CAUSEWAY_ASSERT(begin_ == events_.size() || events_.back()->position() < event->position());
  bytes_ += event_bytes(*event);
  by_room_[event->room].push_back(event);
  events_.push_back(std::move(event));
  while (events_.size() - begin_ > max_events_ || bytes_ > max_bytes_)
    drop_oldest();
  if (begin_ > 1024 && begin_ > events_.size() / 2) {
    events_.erase(events_.begin(), events_.begin() + static_cast<std::ptrdiff_t>(begin_));
    begin_ = 0;
  }
}

void RecentEvents::drop_oldest() {
  StoredEventPtr oldest = std::move(events_[begin_++]);
  bytes_ -= event_bytes(*oldest);
  complete_after_ = oldest->position();
  auto room = by_room_.find(oldest->room);
  room->second.pop_front();
  if (room->second.empty()) by_room_.erase(room);
}

void RecentEvents::replace(const StoredEventPtr& redacted) {
  if (!redacted->is_live()) return;
  StoredEventPtr old = replace_in(events_.begin() + static_cast<std::ptrdiff_t>(begin_), events_.end(), redacted);
  if (!old) return;
  bytes_ += event_bytes(*redacted);
  bytes_ -= event_bytes(*old);
  auto& in_room = by_room_.at(redacted->room);
  replace_in(in_room.begin(), in_room.end(), redacted);
}

}  // namespace causeway
