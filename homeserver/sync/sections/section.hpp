// A kind of thing that clients are told beside the timelines and the state of rooms.
//
// To add one: a class in a file of its own here, and a line in sections.cpp.
#pragma once

#include <string>
#include <vector>

#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/sync_span.hpp"

namespace causeway {

// Where a section puts what it says of a room in a v3 reply.
struct V3Room {
  std::string members;                               // of the room's object: `"key":value,` each
  std::vector<std::string> ephemeral, account_data;  // events as JSON
};

// What one reply tells of it. The calls come in the order they have here. A kind that is not told beside rooms, or not
// of rooms, leaves out that half.
class Section {
 public:
  virtual ~Section();

  // What changed in the span, for all rooms at once. An empty span, of which only what is always told is written, costs
  // no round trip.
  virtual Task<> read(const SyncSpan& span);
  // The client may have to be told of the room because of what was read. True where that can't be said.
  virtual bool concerns(RoomNid room) const;
  // What could not be read before the rooms were known; not of an empty span. Their timelines and states are there, but
  // for members that are loaded lazily. Of a room that is `fresh` all is told, whenever it was set.
  virtual Task<> read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms);

  // Nothing to tell, so a client may go on waiting: beside rooms, and of a room.
  virtual bool empty() const;
  virtual bool empty_in(RoomNid room) const;

  // For v3: members of the reply's object, `,"key":value` each, also those that are there when nothing is told.
  virtual void write(std::string& out) const;
  virtual void write_room(V3Room& out, RoomNid room) const;
};

}  // namespace causeway
