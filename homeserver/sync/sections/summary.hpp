// What lets a client name a room, and count its members, without knowing them all.
//
// spec: client-server-api#get_matrixclientv3sync (RoomSummary)
#pragma once

#include <optional>
#include <unordered_map>
#include <vector>

#include "homeserver/runtime/time_slice.hpp"
#include "homeserver/sync/named_rooms.hpp"
#include "homeserver/sync/sections/section.hpp"

namespace causeway {

class SummarySection final : public Section {
 public:
  SummarySection(RoomReader& reader, NamedRooms& named_rooms, TimeSlice& slice)
      : reader_(reader), named_rooms_(named_rooms), slice_(slice) {}

  Task<> read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) override;
  bool empty_in(RoomNid room) const override { return !told_.contains(room); }
  void write_room(V3Room& out, RoomNid room) const override;

  // After read_rooms: the members that a client names the room by; none where it is told no heroes.
  const std::vector<UserId>& heroes(RoomNid room) const;

 private:
  struct Summary {
    std::optional<std::vector<UserId>> heroes;  // none where the room has a name of its own
    std::size_t joined = 0, invited = 0;
  };
  using Parts = std::vector<const RoomPart*>;
  Task<> summarise(const SyncSpan& span, const Parts& parts);
  Task<std::vector<bool>> are_named(const SyncSpan& span, const Parts& parts);

  RoomReader& reader_;
  NamedRooms& named_rooms_;
  TimeSlice& slice_;
  std::unordered_map<RoomNid, Summary> told_;
};

}  // namespace causeway
