// The last events of the stream, in memory.
#pragma once

#include <algorithm>
#include <deque>
#include <span>
#include <unordered_map>
#include <vector>

#include "homeserver/events/stored_event.hpp"

namespace causeway {

// Bounded by count and bytes. Reactor thread only.
class RecentEvents {
 public:
  explicit RecentEvents(std::size_t max_events = 65'536, std::size_t max_bytes = 24u << 20)
      : max_events_(max_events), max_bytes_(max_bytes) {}

  // The ring answers for every position in (complete_after(), now]: no event of that span is missing from it.
  StreamPosition complete_after() const { return complete_after_; }
  void start_at(StreamPosition position) { complete_after_ = position; }

  // Live events of the room with since < position <= until, ascending. Precondition: since >= complete_after().
  std::vector<StoredEventPtr> in_room(RoomNid room, StreamPosition since, StreamPosition until) const;
  // The same one by one, newest first, until `visit` returns false.
  template <class Visit>
  void newest_in_room(RoomNid room, StreamPosition since, StreamPosition until, Visit visit) const;
  // The same over all rooms.
  std::span<const StoredEventPtr> all() const;  // ascending by position; contiguous view
  // Rooms with a live event in (since, until].
  std::vector<RoomNid> rooms_changed(StreamPosition since, StreamPosition until) const;
  StreamPosition last_in_room(RoomNid room) const;  // 0: none in the ring

  void append(StoredEventPtr event);
  void replace(const StoredEventPtr& redacted);  // same position and nid, if still here

 private:
  void drop_oldest();

  std::vector<StoredEventPtr> events_;  // trimmed from the front in chunks so that all() is contiguous
  std::size_t begin_ = 0;
  std::size_t bytes_ = 0;
  std::size_t max_events_, max_bytes_;
  StreamPosition complete_after_ = 0;
  std::unordered_map<RoomNid, std::deque<StoredEventPtr>> by_room_;
};

template <class Visit>
void RecentEvents::newest_in_room(RoomNid room, StreamPosition since, StreamPosition until, Visit visit) const {
  auto found = by_room_.find(room);
  if (found == by_room_.end()) return;
  const auto& events = found->second;
  auto end = std::upper_bound(events.begin(), events.end(), until,
                              [](StreamPosition at, const StoredEventPtr& event) { return at < event->position(); });
  for (auto at = end; at != events.begin();) {
    --at;
    if ((*at)->position() <= since || !visit(*at)) return;
  }
}

}  // namespace causeway
