// Which rooms a reply tells of.
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/sections/sections.hpp"
#include "homeserver/sync/sync_services.hpp"
#include "homeserver/sync/sync_span.hpp"

namespace causeway {

class RoomSelection {
 public:
  RoomSelection(const SyncServices& services, const SyncSpan& span) : s_(services), span_(span) {}

  // The end of `span`, which is that of the selection: now, with the user's rooms as they are then.
  Task<> fix_end(SyncSpan& span);
  // Those that may have news, by the stream or by what the sections have read. What of them is told is not decided yet
  // (room_placement.hpp).
  Task<std::vector<RoomPart>> choose(const Sections& sections);

 private:
  std::optional<RoomPart> candidate(const RoomMembership& membership, const Sections& sections) const;
  bool may_have_news(const RoomMembership& membership, const Sections& sections) const;
  Task<> add_forgotten(std::vector<RoomPart>& rooms);
  Task<> look_up(std::vector<RoomPart>& rooms);

  const SyncServices& s_;
  const SyncSpan& span_;
  std::shared_ptr<const std::vector<RoomMembership>> memberships_;
};

}  // namespace causeway
