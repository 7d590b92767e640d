// What is stored of a room goes when the last local user who was in it has forgotten it.
//
// A purge begins in the room's lane: the room loses its row, so to everybody else it is unknown from then on, and its
// number is never used again. What has that number is deleted in the background, step by step, whatever happens in
// between. A room of the same ID can be joined again: the rest is deleted first, since events are stored once.
#pragma once

#include <chrono>

#include "homeserver/rooms/head/room_head.hpp"
#include "schema/db/tables/room_purges.hpp"

namespace causeway {

class RoomPurger {
 public:
  struct Services {
    db::Database& database;
    EventWriter& writer;
    EventStore& events;
    RoomReader& reader;
    RoomHeads& heads;
  };
  explicit RoomPurger(Services services) : services_(services) {}

  // Rooms that all their local users have forgotten, the last of them at least `retention` ago, and what an earlier
  // life of the process left unfinished. The number of rooms that are gone.
  Task<std::size_t> purge_forgotten(std::chrono::milliseconds retention);

  // In the lane. True: the room is unknown now; what is stored of it is deleted later, or by finish().
  Task<bool> begin(RoomLock& lock, db::PurgeIf condition);
  // Before a room of that ID is made anew. No-op where nothing is left.
  Task<> finish(RoomId room);

 private:
  Task<bool> try_purge(db::RoomPurge purge);
  Task<bool> begin(db::RoomPurge purge);
  Task<> finish(RoomNid room);

  Services services_;
};

}  // namespace causeway
