// Who is typing in a room.
//
// spec: client-server-api#mtyping
#pragma once

#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "homeserver/sync/sections/section.hpp"
#include "homeserver/sync/typing.hpp"

namespace causeway {

class TypingSection final : public Section {
 public:
  explicit TypingSection(const TypingService& typing) : typing_(typing) {}

  Task<> read(const SyncSpan& span) override;
  bool concerns(RoomNid room) const override { return !known_ || changed_.contains(room); }
  Task<> read_rooms(const SyncSpan& span, const std::vector<RoomPart>& rooms) override;
  bool empty_in(RoomNid room) const override { return !told_.contains(room); }
  void write_room(V3Room& out, RoomNid room) const override;

 private:
  const TypingService& typing_;
  bool known_ = false;
  std::unordered_set<RoomNid> changed_;
  std::unordered_map<RoomNid, std::vector<UserId>> told_;  // nobody: they stopped
};

}  // namespace causeway
