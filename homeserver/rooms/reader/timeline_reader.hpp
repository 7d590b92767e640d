// A room's timeline on behalf of a local user: pages of it, and single places, with nothing in them that the user may
// not see.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "homeserver/events/event_store.hpp"
#include "homeserver/rooms/reader/room_reader.hpp"

namespace causeway {

class AccountService;

// A place between events: the gap just before the event with this key, whether or not there is one. A token is such a
// place.
using Gap = OrderKey;
inline Gap gap_before(const StoredEvent& event) {
  return *event.order;
}
inline Gap gap_after(const StoredEvent& event) {
  return {event.order->anchor, event.order->sub + 1};
}

// A room of which a user may read something: RoomReader::readable.
struct ReadableRoom {
  RoomInfoPtr info;
  RoomReader::Readable readable;
};

using EventPredicate = std::function<bool(const Event&)>;

struct TimelineRequest {
  Gap from;
  std::optional<Gap> to;
  Direction direction = Direction::backward;
  std::size_t limit = 10;
  EventPredicate wanted;  // others are passed over
};

struct TimelinePage {
  std::vector<StoredEventPtr> events;  // the nearest first
  std::optional<Gap> next;             // none: there is nothing more that way
};

struct TimelineContext {
  StoredEventPtr event;
  TimelinePage before, after;
  std::vector<StoredEventPtr> all() const;  // in the order of time
};

class TimelineReader {
 public:
  // RoomService::backfill: what is missing before a place is fetched from other servers.
  using Backfill = std::function<Task<Result<>>(RoomInfoPtr room, OrderKey before, std::size_t limit)>;
  TimelineReader(EventStore& events, RoomReader& rooms, AccountService& accounts, Backfill backfill);

  // Reads on until the page is full, history ends, or a bounded number of events has been looked at. Those of users
  // that this one ignores are passed over. Backwards, what is missing is fetched.
  Task<TimelinePage> page(UserNid nid, UserId user, ReadableRoom room, TimelineRequest request) const;

  // About half of `limit` on each side of an event that the user may see.
  Task<TimelineContext> around(UserNid nid, UserId user, ReadableRoom room, StoredEventPtr event, std::size_t limit,
                               EventPredicate wanted) const;

  // nullptr: the room has no such event, or it is not for this user to see.
  Task<StoredEventPtr> visible_event(UserId user, RoomInfoPtr room, EventId id) const;

  // The state at a place, but none later than what the user may read.
  Task<StateRef> state_at(ReadableRoom room, Gap place) const;

 private:
  class Walk;
  EventStore& events_;
  RoomReader& rooms_;
  AccountService& accounts_;
  Backfill backfill_;
};

}  // namespace causeway
