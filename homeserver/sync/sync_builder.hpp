// What one reply to /sync tells, whatever form it is written in: reads what changed, for all rooms at once, in the
// order of `build`.
#pragma once

#include <vector>

#include "homeserver/sync/lazy_members.hpp"
#include "homeserver/sync/room_part.hpp"
#include "homeserver/sync/room_placement.hpp"
#include "homeserver/sync/room_selection.hpp"
#include "homeserver/sync/room_states.hpp"
#include "homeserver/sync/sections/sections.hpp"
#include "homeserver/sync/stripped_states.hpp"
#include "homeserver/sync/sync_services.hpp"
#include "homeserver/sync/sync_span.hpp"
#include "homeserver/sync/timelines.hpp"

namespace causeway {

class SyncBuilder {
 public:
  SyncBuilder(const SyncServices& services, const SyncMemory& memory, SyncSpan span);

  // From `since` to now. M_TOO_LARGE where it takes too much memory (reply_budget.hpp).
  Task<Result<>> build();
  // Of the empty span at `since`: what is told when there is no news.
  Task<> build_empty();

  // There is nothing in the reply but what every reply has.
  bool empty() const { return rooms_.empty() && sections_.empty(); }
  const SyncSpan& span() const { return span_; }
  const std::vector<RoomPart>& rooms() const { return rooms_; }
  const Sections& sections() const { return sections_; }

 private:
  Task<> choose_rooms();
  Task<> read_rooms();
  bool worth_telling(const RoomPart& part) const;

  SyncSpan span_;
  ReplyCost cost_;
  std::vector<RoomPart> rooms_;
  Sections sections_;
  RoomSelection selection_;
  RoomPlacement placement_;
  Timelines timelines_;
  RoomStates states_;
  LazyMembers members_;
  StrippedStates stripped_;
};

}  // namespace causeway
