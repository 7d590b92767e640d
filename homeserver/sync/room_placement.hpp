// From where to where a room is told: what the client has of it already, and what of it the user may see.
#pragma once

#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/sync_services.hpp"
#include "homeserver/sync/sync_span.hpp"

namespace causeway {

class RoomPlacement {
 public:
  RoomPlacement(const SyncServices& services, const StateVersions& versions, const SyncSpan& span)
      : s_(services), versions_(versions), span_(span) {}

  // Fills in `fresh` to `end`. Invites and knocks need none of it.
  Task<> place(RoomPart& part);
  // The room is told no more, although its membership has a new position: that is when it was forgotten, and the client
  // knew before that it was left.
  bool forgot_what_was_told(const RoomPart& part) const;

 private:
  Task<> place_join(RoomPart& part);
  Task<> place_leave(RoomPart& part);
  Task<std::int32_t> version_at(RoomInfoPtr room, StreamPosition position);
  Task<bool> was_joined(const RoomPart& part);
  Task<> find_known_members(RoomPart& part, bool joined);
  bool left_meanwhile(const RoomPart& part) const;

  const SyncServices& s_;
  const StateVersions& versions_;
  const SyncSpan& span_;
};

}  // namespace causeway
