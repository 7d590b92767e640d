// Events that come after the one that names them, which was taken without: they belong before it.
//
// They stay live: they take the next position of the stream, so that whoever syncs is told of them as of all that
// arrives. /messages shows them in the gap that they fill, and with them what of their past came after the gap too.
#pragma once

#include <vector>

#include "homeserver/events/event_store.hpp"
#include "homeserver/rooms/head/room_head.hpp"

namespace causeway {

// Says of the events that one unit appends to a room which of them came late, and where they belong.
class LateEvents {
 public:
  // `head` as it is before they are appended.
  LateEvents(db::Database& database, EventStore& events, const RoomHead& head);

  // In the room's lane, before the commit, which closes the gaps. Nothing is read for events that simply come next.
  Task<> place(WriteUnit& unit);

 private:
  Task<std::vector<StoredEventPtr>> past_after(const WriteUnit& unit, EventId filling, OrderKey gap);

  db::Database& database_;
  EventStore& events_;
  const RoomNid room_;
  std::vector<EventId> tip_;
};

}  // namespace causeway
