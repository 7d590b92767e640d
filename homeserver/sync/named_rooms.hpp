// Which rooms have a name of their own, so that clients need no heroes to name them by.
//
// spec: client-server-api#calculating-the-display-name-for-a-room
#pragma once

#include <vector>

#include "homeserver/events/interner.hpp"
#include "homeserver/runtime/loading_cache.hpp"
#include "homeserver/stream/committed.hpp"
#include "schema/db/database.hpp"

namespace causeway {

// Of the current state; bounded, kept current by committed(). Reactor thread only.
class NamedRooms {
 public:
  NamedRooms(db::Database& database, Interner& interner);

  // In the order asked: whether m.room.name or m.room.canonical_alias says something. One round trip for all that are
  // not cached.
  Task<std::vector<bool>> are_named(std::vector<RoomNid> rooms);
  void committed(const Committed& facts);

  // Of one of the two events.
  static bool says_something(const Event& event);

 private:
  using Loaded = std::vector<std::pair<RoomNid, std::shared_ptr<bool>>>;
  Task<Loaded> load(std::vector<RoomNid> rooms);
  bool may_name(StateKeyNid key) const;

  db::Database& database_;
  Interner& interner_;
  LoadingCache<RoomNid, bool> rooms_;
};

}  // namespace causeway
