// Lazy loading: of the members of a room those that the client needs and was not told of.
//
// spec: client-server-api#lazy-loading-room-members
#pragma once

#include <set>
#include <string>
#include <vector>

#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/sync_services.hpp"
#include "homeserver/sync/sync_span.hpp"

namespace causeway {

class LazyMembers {
 public:
  LazyMembers(const SyncServices& services, SentMembers& sent, const SyncSpan& span)
      : s_(services), sent_(sent), span_(span) {}

  // The device is told all of some rooms, whatever it was told before.
  void begin(const std::vector<RoomPart>& rooms);
  // To the room's state, by number. Its timeline and the rest of its state are there. `heroes`: whom the client names
  // the room by.
  Task<> add(RoomPart& part, const std::vector<UserId>& heroes);
  // All that is told is in the room now.
  void remember(const RoomPart& part);

 private:
  std::set<std::string> wanted(const RoomPart& part, const std::vector<UserId>& heroes) const;
  Task<> find(RoomPart& part, std::set<std::string> wanted);

  const SyncServices& s_;
  SentMembers& sent_;
  const SyncSpan& span_;
};

}  // namespace causeway
